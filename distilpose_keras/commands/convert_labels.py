"""Convert labels between YOLO-pose and COCO's layout.

A data.yaml becomes a folder in COCO's layout, which every command takes as --data; a
folder in COCO's layout becomes a YOLO-pose data set. Pictures are linked where the disk
allows it, else copied.
"""

from distilpose_keras.commands import cli

SUMMARY = "YOLO-pose labels to COCO's layout, and back"
EXAMPLES = """examples:
  %(prog)s hands/data.yaml --out hands-coco
  %(prog)s coco --out coco-yolo
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("source", metavar="SOURCE", help="data.yaml, or a folder in COCO's layout")
    add(
        "--out",
        required=True,
        type=cli.output_folder,
        metavar="DIR",
        help="folder to make; it must be empty or absent",
    )
    add("--category", **cli.CATEGORY)
    add("--flip-pairs", **cli.FLIP_PAIRS)


def run(arguments):
    """Convert, and say what was found."""
    from pathlib import Path

    from distilpose_keras.data.interchange import coco_to_yolo, yolo_to_coco

    source = Path(arguments.source)
    if source.is_dir():
        counts = coco_to_yolo(
            source,
            arguments.out,
            category=arguments.category,
            flip_pairs=arguments.flip_pairs,
        )
    elif source.suffix in (".yaml", ".yml") and source.is_file():
        counts = yolo_to_coco(source, arguments.out)
    else:
        raise ValueError(
            f"SOURCE must be a data.yaml or a folder that is there. Received: {source}"
        )
    for split, (pictures, people) in counts.items():
        print(f"{split}: {pictures} pictures, {people} people")
    print(f"wrote {arguments.out}")
