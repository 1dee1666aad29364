"""Read a data set whole before anyone trains on it.

Finds annotation files that cannot be followed, ids given twice, keypoints outside their
picture or box, left and right exchanged; pictures that are missing, damaged, of another
size, next to empty, or in several splits. Exits with 1 if training or scoring would
stop or be wrong.
"""

from distilpose_keras.commands import cli

SUMMARY = "what is wrong with a data set, before training"
EXAMPLES = """examples:
  %(prog)s coco
  %(prog)s my_people --json check.json --html check.html
  %(prog)s my_people --no-pictures --category dog
  %(prog)s my_people --model student.keras

DIR is in COCO's layout: annotations/person_keypoints_{train,val}2017.json, train2017/
and val2017/; one split is enough.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("data", type=cli.input_folder, metavar="DIR", help="data set in COCO's layout")
    add("--split", choices=["train", "val"], help="check this split only")
    add("--category", **cli.CATEGORY)
    add("--flip-pairs", **cli.FLIP_PAIRS)
    add(
        "--model",
        type=cli.runnable_model,
        metavar="FILE",
        help="compare left and right with this model's",
    )
    add("--no-pictures", action="store_true", help="look at the annotations only")
    add(
        "--workers",
        type=cli.positive_int,
        metavar="N",
        help="threads that decode; default: cores",
    )
    add("--json", type=cli.output_file, metavar="FILE", help="also write the findings")
    add(
        "--html",
        type=cli.output_file,
        metavar="FILE",
        help="also write a page with the worst cases",
    )


def run(arguments):
    """Check, print the table; 1 if a problem is serious."""
    from distilpose_keras.checking.dataset import check_dataset
    from distilpose_keras.checking.page import write_check_page
    from distilpose_keras.files import write_json

    predictor = None
    if arguments.model:
        from distilpose_keras.predictor import PosePredictor

        predictor = PosePredictor(arguments.model)
    check = check_dataset(
        arguments.data,
        splits=[arguments.split] if arguments.split else None,
        pictures=not arguments.no_pictures,
        category=arguments.category,
        flip_pairs=arguments.flip_pairs,
        predictor=predictor,
        workers=arguments.workers,
        progress=True,
    )
    _print(check)
    if arguments.json:
        write_json(arguments.json, check.to_dict())
    if arguments.html:
        write_check_page(arguments.html, check)
    return 1 if check.serious else 0


def _print(check):
    """Print problems with an example each, then what was seen."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if check.problems:
        table = Table(title=f"{len(check.problems)} kinds of problems")
        table.add_column("split")
        table.add_column("count", justify="right")
        table.add_column("of", justify="right")
        table.add_column("problem", ratio=1, overflow="fold")
        for problem in check.problems:
            style = "bold red" if problem.serious else None
            first = f"\n{problem.examples[0].text}" if problem.examples else ""
            text = escape(f"{problem.kind}{first}")
            counts = f"{problem.count:,}", f"{problem.of:,}"
            table.add_row(problem.split, *counts, text, style=style)
        console.print(table)
    for split, figures in check.statistics.items():
        console.print(
            f"{split}: {figures['people']:,} people "
            f"({figures['people_with_keypoints']:,} with keypoints) in "
            f"{figures['pictures']:,} pictures, "
            f"{figures['pictures_without_people']:,} of them without anyone; "
            f"{figures['keypoints_per_person']} keypoints a person"
        )
        for remark in check.remarks[split]:
            console.print(escape(f"  {remark}"))
    verdict = "serious problems" if check.serious else "no serious problem"
    console.print(
        f"{verdict}; {check.pictures:,} pictures opened in {check.seconds:.1f} s"
    )
