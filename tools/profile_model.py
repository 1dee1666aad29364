"""Print parameters and multiply-accumulates of models and model files.

GMACs are true multiply-accumulates. "GFLOPs (paper)" is the count that the published
papers print, which leaves out the products of attention.
"""

from distilpose_keras.cli import ArgumentParser, run

EXAMPLES = """examples:
  python tools/profile_model.py
  python tools/profile_model.py distilpose_s distilpose_l --json profile.json
  python tools/profile_model.py student.keras student_int8.tflite student.onnx
"""


def parse_args(argv):
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="NAME|FILE",
        help="named models and .keras, .tflite or .onnx files; default: all named",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help="print a Markdown table beside the paper's figures instead",
    )
    return parser.parse_args(argv)


def print_table(profiles):
    """Print the figures for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("model", overflow="fold")
    for column in ("trainable", "total", "GMACs", "GFLOPs\n(paper)"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("outputs", overflow="fold")
    for p in profiles:
        trainable = "-" if p.trainable_params is None else f"{p.trainable_params:,}"
        outputs = "\n".join(
            f"{name} {'x'.join(map(str, shape[1:]))}"
            for name, shape in p.outputs.items()
        )
        table.add_row(
            p.model,
            trainable,
            f"{p.total_params:,}",
            f"{p.gmacs:.4g}",
            f"{p.gflops_paper:.4g}",
            outputs,
        )
    Console().print(table)


def main(argv):
    """Run the command."""
    args = parse_args(argv)

    from rich.progress import track

    from distilpose_keras.files import write_json
    from distilpose_keras.models.presets import MODELS
    from distilpose_keras.profiling.model import markdown_table, profile

    names = args.models or list(MODELS)
    profiles = [profile(n) for n in track(names, "profiling", transient=True)]
    if args.markdown:
        print(markdown_table(profiles))
    else:
        print_table(profiles)
    if args.json:
        write_json(args.json, [p.to_dict() for p in profiles])


if __name__ == "__main__":
    run(main)
