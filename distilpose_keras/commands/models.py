"""List the named models: their method, size, and accuracy as published.

AP is that of the papers on COCO val, with a detector's boxes and flip test. GMACs are
true multiply-accumulates at the model's input size. Parameters after a plus are of what
only training needs, such as RLE's flow, and in no file. "weights" tells whether trained
ones came with the package; others are converted (`distilpose convert`) or trained.
"""

from distilpose_keras.commands import cli

SUMMARY = "all models: size, the papers' AP, weights at hand"
EXAMPLES = """examples:
  %(prog)s
  %(prog)s --markdown
  %(prog)s --json models.json

The JSON is a list of model, family, trainable_params, gmacs, paper_params_m,
paper_gflops, paper_ap (null where no paper has one), loss_params (of what only training
needs) and weights (a file or null).
"""
COLUMNS = ("model", "family", "parameters", "GMACs", "AP", "weights")


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--markdown", action="store_true", help="print a Markdown table"
    )
    parser.add_argument(
        "--json", type=cli.output_file, metavar="FILE", help="also write the figures"
    )


def run(arguments):
    """Print the table."""
    rows = _rows()
    lines = [_texts(row) for row in rows]
    if arguments.markdown:
        _print_markdown(lines)
    else:
        _print_table(lines)
    if arguments.json:
        from distilpose_keras.files import write_json

        write_json(arguments.json, rows)


def _rows():
    """One dict per model, as in the JSON."""
    from distilpose_keras.models.presets import FIGURES, MODELS
    from distilpose_keras.preset_files import preset_file, preset_names

    return [
        {
            "model": name,
            "family": type(config).__name__,
            **FIGURES[name].to_dict(),
            "weights": str(preset_file(name)) if name in preset_names() else None,
        }
        for name, config in MODELS.items()
    ]


def _texts(row):
    """A row as it is shown."""
    return (
        row["model"],
        row["family"],
        _parameters(row),
        f"{row['gmacs']:.4g}",
        "–" if row["paper_ap"] is None else f"{row['paper_ap']:.1f}",
        "–" if row["weights"] is None else "yes",
    )


def _parameters(row):
    """The parameters of the model, and those that only its loss has."""
    model = f"{row['trainable_params'] / 1e6:.2f} M"
    return f"{model} + {row['loss_params'] / 1e6:.2f}" if row["loss_params"] else model


def _print_markdown(lines):
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---|---|--:|--:|--:|:-:|")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def _print_table(lines):
    from rich.table import Table

    from distilpose_keras.commands.tables import print_table

    table = Table()
    for heading in COLUMNS:
        justify = "left" if heading in ("model", "family") else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for line in lines:
        table.add_row(*line)
    print_table(table)
