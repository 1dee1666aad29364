"""The ablation tables of the paper, in small, on the synthetic set.

Prints a table in the paper's shape, AP as mean and spread over seeds: 4, which loss
terms help; 5, sizes of student and teacher; 6, simulated heatmaps between convolutional
networks; B, one sigma or two.
"""

from dataclasses import replace
from pathlib import Path

from distilpose_keras.commands import cli
from distilpose_keras.commands.train import run_operators_side_by_side

SUMMARY = "the paper's ablation tables, in small"
EXAMPLES = """examples:
  %(prog)s --table 4
  %(prog)s --table B --seeds 3 --json table_b.json
  %(prog)s --table 4 --data coco --epochs 20
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    number = {"type": cli.positive_int, "metavar": "N"}
    add("--table", choices=("4", "5", "6", "B"), required=True)
    add("--seeds", **number, default=2, help="2")
    add("--data", type=cli.input_folder, metavar="DIR", help="COCO layout")
    add("--images", **number, default=3000, help="rendered: 3000")
    add("--limit", **number, help="use N people per split")
    add("--epochs", **number, help="of every model")
    add(
        "--out",
        type=cli.output_folder,
        default=Path("runs/ablation"),
        metavar="DIR",
        help="folder of the rendered data (default: runs/ablation)",
    )
    add("--json", type=cli.output_file, metavar="FILE", help="also write the figures")


def run(arguments):
    """Train every row and print the table."""
    run_operators_side_by_side()
    from distilpose_keras.files import write_json
    from distilpose_keras.recipe.ablation import TABLES, run_table
    from distilpose_keras.recipe.options import RunOptions
    from distilpose_keras.recipe.settings import demo_recipe, with_changes
    from distilpose_keras.recipe.stages import load_splits, render_data

    settings = with_changes(demo_recipe(), epochs=arguments.epochs)
    synthetic = {**settings.synthetic, "train_images": arguments.images}
    settings = replace(settings, synthetic=synthetic)
    options = RunOptions(
        out=arguments.out / f"{arguments.images}_images",
        limit=arguments.limit,
    )
    data = arguments.data or render_data(settings, options)
    table = TABLES[arguments.table]
    results = run_table(
        table,
        load_splits(data, options.limit),
        settings,
        seeds=range(arguments.seeds),
        progress=print,
    )
    _print_results(f"Table {arguments.table}: {table.title}", table, results)
    if arguments.json:
        write_json(arguments.json, {"table": arguments.table, "rows": results})


def _print_results(title, table, results):
    """Print mean and spread of every row."""
    from rich.table import Table

    from distilpose_keras.commands.tables import print_table
    from distilpose_keras.recipe.ablation import mean_and_spread

    shown = Table(*table.columns, "AP", title=title)
    for result in results:
        mean, spread = mean_and_spread(result["AP"])
        shown.add_row(*result["labels"], f"{mean:.1f} ± {spread:.1f}")
    print_table(shown)
