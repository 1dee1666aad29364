"""Measure exported files against the model they came from, each in its own runtime."""

import sys

from distilpose_keras.commands import cli

SUMMARY = "AP, AP drop, error and latency of exported files"
EXAMPLES = """examples:
  %(prog)s student.keras student.tflite student.onnx --data coco
  %(prog)s student.keras student_int8.tflite --data coco \\
      --max-ap-drop 0.5 --json verified.json

Exits 1 if a file loses more AP than --max-ap-drop. The table shows AP in points, 0 to
100, the JSON as 0 to 1; drops are in AP points in both. Keypoint errors are distances
to the reference's keypoints in pixels of the crop, over all keypoints of all people.
Latency is the median of one crop on one thread. The JSON is a list with an entry for
the reference and one per file: file, runtime, precision, bytes, AP, ap_drop,
max_keypoint_error_px, mean_keypoint_error_px, latency_ms.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("reference", type=cli.trained_model, metavar="REFERENCE.keras")
    add(
        "files",
        nargs="+",
        type=cli.input_file,
        metavar="FILE",
        help=".tflite or .onnx",
    )
    add(
        "--data",
        required=True,
        type=cli.input_folder,
        metavar="DIR",
        help="COCO-layout data",
    )
    add("--split", default="val", choices=["train", "val"])
    add("--limit", type=cli.positive_int, metavar="N", help="only the first N people")
    add("--max-ap-drop", type=float, metavar="X", help="AP points a file may lose")
    add("--json", type=cli.output_file, metavar="FILE", help="also write the figures")


def run(arguments):
    """Measure, print the table and judge."""
    from distilpose_keras.commands.tables import print_rows
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.export.verify import verify
    from distilpose_keras.files import write_json
    from distilpose_keras.models.model import load_model
    from distilpose_keras.report.rows import FIGURES

    reference = load_model(arguments.reference)
    people = load_people(
        *coco_paths(arguments.data, arguments.split),
        schema=reference.pose_config.schema,
    )
    rows = verify(
        arguments.reference,
        arguments.files,
        people,
        limit=arguments.limit,
        progress=True,
    )
    print_rows(rows, FIGURES)
    if arguments.json:
        write_json(arguments.json, rows)
    if arguments.max_ap_drop is None:
        return 0
    over = [row["file"] for row in rows if row["ap_drop"] > arguments.max_ap_drop]
    for file in over:
        print(f"{file} loses more than {arguments.max_ap_drop} AP", file=sys.stderr)
    return 1 if over else 0
