"""Score a model file by COCO's keypoint evaluation."""

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from distilpose_keras import cli

EXAMPLES = """examples:
  python tools/evaluate_coco.py student.keras --data coco
  python tools/evaluate_coco.py student_int8.tflite --data coco --flip
  python tools/evaluate_coco.py student.onnx --data coco \\
      --boxes coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json

--data is a folder in COCO's layout: annotations/person_keypoints_val2017.json and
val2017/. The JSON has the keys AP AP50 AP75 APM APL AR AR50 AR75 ARM ARL (-1 where
the data has no person of that size), instances and seconds.
"""


def parse_arguments(argv):
    """Read the command line."""
    parser = cli.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
    )
    parser.add_argument("model", metavar="MODEL", help=".keras, .tflite or .onnx file")
    parser.add_argument("--data", required=True, metavar="DIR", help="COCO-layout data")
    parser.add_argument("--split", default="val", choices=["train", "val"])
    parser.add_argument(
        "--boxes",
        default="gt",
        metavar="gt|FILE",
        help="ground-truth boxes, or a COCO detection file (default: gt)",
    )
    parser.add_argument("--flip", action="store_true", help="average with the mirror")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="score only the first N boxes"
    )
    parser.add_argument("--batch-size", type=int, default=32, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    return parser.parse_args(argv)


def main(argv):
    """Run the command."""
    arguments = parse_arguments(argv)
    for name in ("limit", "batch_size"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be at least 1. Received: {value}")
    from distilpose_keras.data.coco import coco_paths, load_detections, load_people
    from distilpose_keras.evaluation import evaluate
    from distilpose_keras.files import write_json
    from distilpose_keras.predictor import PosePredictor

    paths = coco_paths(arguments.data, arguments.split)
    predictor = PosePredictor(arguments.model, batch_size=arguments.batch_size)
    people = load_people(*paths, schema=predictor.schema)
    print(people.summary(), file=sys.stderr)
    boxes = None
    if arguments.boxes != "gt":
        boxes = load_detections(arguments.boxes, people)
        covered = np.isin(people.image_index, boxes.image_index)
        print(
            f"{boxes.summary()}; {np.count_nonzero(~covered)} annotated people are in "
            "images without a detection and count as missed",
            file=sys.stderr,
        )
    figures = evaluate(
        predictor,
        people,
        boxes=boxes,
        flip=arguments.flip,
        batch_size=arguments.batch_size,
        limit=arguments.limit,
        progress=True,
    )
    print_figures(arguments, figures)
    if arguments.json:
        write_json(arguments.json, figures)


def print_figures(arguments, figures):
    """Print the table."""
    boxes = "ground-truth boxes" if arguments.boxes == "gt" else "detected boxes"
    test = ", flip test" if arguments.flip else ""
    table = Table(title=f"{Path(arguments.model).name}: {boxes}{test}")
    for heading in ("", "all", "OKS 0.50", "OKS 0.75", "medium", "large"):
        table.add_column(heading, justify="right")
    for kind in ("AP", "AR"):
        values = (figures[kind + suffix] for suffix in ("", "50", "75", "M", "L"))
        table.add_row(kind, *("-" if v < 0 else f"{v:.4f}" for v in values))
    Console().print(table)
    print(f"{figures['instances']} boxes in {figures['seconds']:.1f} s")


if __name__ == "__main__":
    cli.run(main)
