"""Print parameters and multiply-accumulates of models and model files.

GMACs are true multiply-accumulates. "GFLOPs (paper)" is the count that the published
papers print, which leaves out the products of attention.
"""

from distilpose_keras.commands import cli

SUMMARY = "parameters and multiply-accumulates of models and files"
EXAMPLES = """examples:
  %(prog)s
  %(prog)s distilpose_s distilpose_l --json profile.json
  %(prog)s student.keras student_int8.tflite student.onnx
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "models",
        nargs="*",
        type=cli.model_file,
        metavar="NAME|FILE",
        help="named models and .keras, .tflite or .onnx files; default: all named",
    )
    add("--json", type=cli.output_file, metavar="FILE", help="also write the figures")
    add(
        "--markdown",
        action="store_true",
        help="print a Markdown table beside the paper's figures instead",
    )


def run(arguments):
    """Count and print the table."""
    from distilpose_keras.models.presets import MODELS

    names = arguments.models or list(MODELS)
    for name in names:
        if isinstance(name, str) and name not in MODELS:
            known = ", ".join(MODELS)
            raise ValueError(f"unknown model or file {name!r}; known: {known}")
    from rich.progress import track

    from distilpose_keras.files import write_json
    from distilpose_keras.profiling.model import markdown_table, profile

    profiles = [profile(n) for n in track(names, "profiling", transient=True)]
    if arguments.markdown:
        print(markdown_table(profiles))
    else:
        _print_table(profiles)
    if arguments.json:
        write_json(arguments.json, [p.to_dict() for p in profiles])


def _print_table(profiles):
    """Print the figures for people."""
    from rich.table import Table

    from distilpose_keras.commands.tables import print_table

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
    print_table(table)
