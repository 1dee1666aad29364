"""Measure exported files against the model they came from, each in its own runtime."""

import sys

from distilpose_keras import cli

EXAMPLES = """examples:
  python export/verify.py student.keras student.tflite student.onnx --data coco
  python export/verify.py student.keras student_int8.tflite --data coco \\
      --max-ap-drop 0.5 --json verified.json

Exits 1 if a file loses more AP than --max-ap-drop. AP is 0 to 1; the drop is in AP
points, 0 to 100. Keypoint errors are distances to the reference's keypoints in pixels
of the crop, over all keypoints of all people. Latency is the median of one crop on one
thread. The JSON is a list with an entry for the reference and one per file: file,
runtime, precision, bytes, AP, ap_drop, max_keypoint_error_px, mean_keypoint_error_px,
latency_ms.
"""


def parse_arguments(argv):
    """Read the command line."""
    parser = cli.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
    )
    parser.add_argument("reference", metavar="REFERENCE.keras")
    parser.add_argument("files", nargs="+", metavar="FILE", help=".tflite or .onnx")
    parser.add_argument("--data", required=True, metavar="DIR", help="COCO-layout data")
    parser.add_argument("--split", default="val", choices=["train", "val"])
    parser.add_argument(
        "--limit", type=int, metavar="N", help="only the first N people"
    )
    parser.add_argument(
        "--max-ap-drop", type=float, metavar="X", help="AP points a file may lose"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    return parser.parse_args(argv)


def main(argv):
    """Run the command."""
    arguments = parse_arguments(argv)
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.export.verify import print_rows, verify
    from distilpose_keras.files import write_json
    from distilpose_keras.models.model import load_model

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
    print_rows(rows)
    if arguments.json:
        write_json(arguments.json, rows)
    if arguments.max_ap_drop is None:
        return 0
    over = [row["file"] for row in rows if row["ap_drop"] > arguments.max_ap_drop]
    for file in over:
        print(f"{file} loses more than {arguments.max_ap_drop} AP", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    cli.run(main)
