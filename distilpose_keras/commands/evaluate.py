"""Score a model file by COCO's keypoint evaluation."""

import argparse
import sys
from pathlib import Path

from distilpose_keras.commands import cli

SUMMARY = "COCO AP of a model file"
EXAMPLES = """examples:
  %(prog)s student.keras --data coco
  %(prog)s student_int8.tflite --data coco --flip
  %(prog)s distilpose_nano --data people --reliability scores.png
  %(prog)s student.onnx --data coco \\
      --boxes coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json

--data is a folder in COCO's layout: annotations/person_keypoints_val2017.json and
val2017/. The JSON has the keys AP AP50 AP75 APM APL AR AR50 AR75 ARM ARL (-1 where
the data has no person of that size), instances and seconds.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("model", metavar="MODEL", type=cli.runnable_model, help=cli.MODEL_FILE)
    add(
        "--data",
        required=True,
        type=cli.input_folder,
        metavar="DIR",
        help="COCO-layout data",
    )
    add("--split", default="val", choices=["train", "val"])
    add("--category", **cli.CATEGORY)
    add(
        "--boxes",
        type=_boxes,
        default="gt",
        metavar="gt|auto|FILE",
        help="ground-truth boxes, those that the person finder finds, or a COCO "
        "detection file (default: gt)",
    )
    add("--flip", action="store_true", help="average with the mirror")
    add("--dark", **cli.DARK)
    add(
        "--limit",
        type=cli.positive_int,
        metavar="N",
        help="score only the first N boxes",
    )
    add("--batch-size", type=cli.positive_int, default=32, metavar="N")
    add("--json", type=cli.output_file, metavar="FILE", help="also write the figures")
    add(
        "--reliability",
        type=_reliability_file,
        metavar="FILE",
        help="compare scores with distances to the truth: a .png or .json",
    )


def _reliability_file(text):
    if Path(text).suffix not in (".png", ".json"):
        raise argparse.ArgumentTypeError(f"must end in .png or .json. Received: {text}")
    return cli.output_file(text)


def _boxes(text):
    return text if text in ("gt", "auto") else cli.input_file(text)


def run(arguments):
    """Score and print the table."""
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.evaluation import evaluate
    from distilpose_keras.files import write_json
    from distilpose_keras.predictor import PosePredictor

    paths = coco_paths(arguments.data, arguments.split)
    predictor = PosePredictor(
        arguments.model, batch_size=arguments.batch_size, dark=arguments.dark
    )
    people = load_people(*paths, schema=predictor.schema, category=arguments.category)
    print(people.summary(), file=sys.stderr)
    boxes = None if arguments.boxes == "gt" else _load_boxes(arguments.boxes, people)
    figures = evaluate(
        predictor,
        people,
        boxes=boxes,
        flip=arguments.flip,
        batch_size=arguments.batch_size,
        limit=arguments.limit,
        progress=True,
    )
    _print_figures(arguments, figures)
    if arguments.json:
        write_json(arguments.json, figures)
    if arguments.reliability:
        _write_reliability(arguments, predictor, people.limit(arguments.limit))


def _write_reliability(arguments, predictor, people):
    """Measure what the scores are worth, in ground-truth boxes; draw or write it."""
    from distilpose_keras.files import atomic_path, write_json
    from distilpose_keras.reliability import measure_reliability
    from distilpose_keras.report.charts import reliability_chart

    found = measure_reliability(
        predictor,
        people,
        flip=arguments.flip,
        batch_size=arguments.batch_size,
        progress=True,
    )
    if arguments.reliability.suffix == ".json":
        write_json(arguments.reliability, found.to_dict())
    else:
        with atomic_path(arguments.reliability) as temporary:
            reliability_chart(found).savefig(temporary)
    print(
        f"scores against similarity in ground-truth boxes: calibration error "
        f"{found.calibration_error:.3f}, best threshold {found.threshold:.2f}, "
        f"AP {found.ap:.4f} with and {found.ap_of_boxes:.4f} without the scores; "
        f"wrote {arguments.reliability}"
    )


def _load_boxes(file, people):
    """Read detections and say what they leave out."""
    import numpy as np

    from distilpose_keras.data.detections import find_detections, load_detections

    if file == "auto":
        from distilpose_keras.detection import PersonFinder

        boxes = find_detections(PersonFinder().find, people, progress=True)
    else:
        boxes = load_detections(file, people)
    covered = np.isin(people.image_index, boxes.image_index)
    print(
        f"{boxes.summary()}; {np.count_nonzero(~covered)} annotated people are in "
        "images without a detection and count as missed",
        file=sys.stderr,
    )
    return boxes


def _print_figures(arguments, figures):
    """Print the table."""
    from rich.table import Table

    from distilpose_keras.commands.tables import print_table

    boxes = "ground-truth boxes" if arguments.boxes == "gt" else "detected boxes"
    test = ", flip test" if arguments.flip else ""
    table = Table(title=f"{Path(arguments.model).name}: {boxes}{test}")
    for heading in ("", "all", "OKS 0.50", "OKS 0.75", "medium", "large"):
        table.add_column(heading, justify="right")
    for kind in ("AP", "AR"):
        values = (figures[kind + suffix] for suffix in ("", "50", "75", "M", "L"))
        table.add_row(kind, *("-" if v < 0 else f"{v:.4f}" for v in values))
    print_table(table)
    print(f"{figures['instances']} boxes in {figures['seconds']:.1f} s")
