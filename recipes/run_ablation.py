"""The ablation tables of the paper, in small, on the synthetic set.

Prints a table in the paper's shape, AP as mean and spread over seeds: 4, which loss
terms help; 5, sizes of student and teacher; 6, simulated heatmaps between convolutional
networks; B, one sigma or two.
"""

from dataclasses import replace
from pathlib import Path

from options import run_operators_side_by_side

from distilpose_keras import cli

EXAMPLES = """examples:
  python recipes/run_ablation.py --table 4
  python recipes/run_ablation.py --table B --seeds 3 --json table_b.json
  python recipes/run_ablation.py --table 4 --data coco --epochs 20
"""


def parse_arguments(argv):
    """Read the command line."""
    parser = cli.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
    )
    parser.add_argument("--table", choices=("4", "5", "6", "B"), required=True)
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="2")
    parser.add_argument("--data", type=Path, metavar="DIR", help="COCO layout")
    parser.add_argument("--images", type=int, default=3000, help="rendered: 3000")
    parser.add_argument("--limit", type=int, metavar="N", help="use N people per split")
    parser.add_argument("--epochs", type=int, help="of every model")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    return parser.parse_args(argv)


def main(argv):
    """Run the command."""
    arguments = parse_arguments(argv)
    run_operators_side_by_side()
    from rich.console import Console
    from rich.table import Table

    from distilpose_keras.files import write_json
    from distilpose_keras.recipe.ablation import TABLES, mean_and_spread, run_table
    from distilpose_keras.recipe.options import RunOptions
    from distilpose_keras.recipe.settings import demo_recipe
    from distilpose_keras.recipe.stages import load_splits, render_data

    settings = demo_recipe()
    settings = replace(
        settings, synthetic={**settings.synthetic, "train_images": arguments.images}
    )
    if arguments.epochs:
        settings = replace(
            settings,
            student_training=replace(
                settings.student_training, epochs=arguments.epochs
            ),
            teacher_training=replace(
                settings.teacher_training, epochs=arguments.epochs
            ),
        )
    options = RunOptions(
        out=arguments.out / f"{arguments.images}_images",
        limit=arguments.limit,
    )
    data = arguments.data or render_data(settings, options)
    console = Console()
    table = TABLES[arguments.table]
    results = run_table(
        table,
        load_splits(data, options.limit),
        settings,
        seeds=range(arguments.seeds),
        progress=console.print,
    )
    shown = Table(*table.columns, "AP", title=f"Table {arguments.table}: {table.title}")
    for result in results:
        mean, spread = mean_and_spread(result["AP"])
        shown.add_row(*result["labels"], f"{mean:.1f} ± {spread:.1f}")
    console.print(shown)
    if arguments.json:
        write_json(arguments.json, {"table": arguments.table, "rows": results})


if __name__ == "__main__":
    cli.run(main)
