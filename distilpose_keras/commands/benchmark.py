"""Measure speed: of exported files, the input pipeline, training or evaluation."""

import importlib
import itertools
import os

from distilpose_keras.commands import cli

SUMMARY = "speed of files, input, training or evaluation"
EXAMPLES = """examples:
  %(prog)s latency student_float32.tflite student_int8.tflite
  %(prog)s latency student.onnx --threads 4 --profile
  %(prog)s data --data coco
  %(prog)s training --model distilpose_s
  %(prog)s evaluation --json evaluation.json

What is compared runs in turns; times are medians. The JSON is a list of the tables'
rows.
"""
NUMBER = {"type": cli.positive_int, "metavar": "N"}
DATA = {"type": cli.input_folder, "metavar": "DIR"}
BACKENDS = ("tensorflow", "jax", "torch")


def add_arguments(parser):
    """Add the arguments of the command: those of each kind of benchmark."""
    parser.epilog = EXAMPLES
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, (summary, add_own) in KINDS.items():
        own = kinds.add_parser(kind, help=summary, description=summary)
        add_own(own.add_argument)
        own.add_argument(
            "--json", type=cli.output_file, metavar="FILE", help="also write the rows"
        )


def _add_latency(add):
    add("files", nargs="+", type=_path, metavar="FILE", help=".tflite or .onnx")
    add("--threads", **NUMBER, default=1, help="also with 2, 4, ... N")
    add("--rounds", **NUMBER, default=50, help="medians count")
    add("--profile", action="store_true", help="also the time per kind of operator")


def _add_data(add):
    add("--data", required=True, **DATA, help="data set in COCO layout")
    add("--batch-size", **NUMBER, default=32)
    add("--rounds", **NUMBER, default=5, help="passes; medians count")
    add(
        "--workers",
        **NUMBER,
        nargs="*",
        default=sorted({2, os.cpu_count() or 2}),
        help="numbers of worker processes to measure",
    )
    add(
        "--people",
        type=int,
        default=150_000,
        metavar="N",
        help="size of the annotation file whose opening is measured; 0 for none",
    )


def _add_training(add):
    add("--model", default="demo_student", metavar="NAME", help="of the student")
    add(
        "--teacher",
        metavar="NAME",
        help="name of the teacher, or none (default: the recipe's)",
    )
    add(
        "--backends",
        nargs="+",
        choices=BACKENDS,
        default=BACKENDS,
        help="of which the installed ones are measured (default: all)",
    )
    add("--batch-size", **NUMBER, default=32)
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
    )
    add(
        "--jit",
        choices=("auto", "on", "off", "both"),
        default="auto",
        help="XLA on TensorFlow; JAX always has it (default: as fit decides)",
    )
    add("--data", **DATA, help="COCO layout; a synthetic set by default")
    add("--workers", **NUMBER, default=1, help="loading processes (default: 1)")
    add("--rounds", **NUMBER, default=5, help="medians count")
    add("--steps", **NUMBER, default=8, help="steps in a round, of each part too")


def _add_evaluation(add):
    add("--data", **DATA, help="data set in COCO layout; a synthetic one by default")
    add(
        "--model",
        default="demo_student",
        metavar="NAME|FILE",
        help="a model file, or the name of a model",
    )
    add("--batch-size", **NUMBER, default=32)
    add("--rounds", **NUMBER, default=3, help="passes; medians count")
    add(
        "--scored-images",
        **NUMBER,
        default=5000,
        help="images of the generated set that is scored (default: 5000, val2017's)",
    )


def _path(text):
    """An input file by its name: the measuring process is given it as JSON."""
    return str(cli.input_file(text))


# Module of `distilpose_keras.benchmarks` -> what it measures, and its arguments.
KINDS = {
    "latency": (
        "exported files: medians and ratios on one core, threads, batches",
        _add_latency,
    ),
    "data": ("the input pipeline against the plain way to write it", _add_data),
    "training": ("training steps on this machine", _add_training),
    "evaluation": ("crops, inference, suppression and AP", _add_evaluation),
}


def run(arguments):
    """Measure and print the tables; only the chosen benchmark is imported."""
    rows = _module(arguments.kind).run(arguments)
    for columns, part in itertools.groupby(rows, key=tuple):
        _print_table(columns, list(part))
    if arguments.json:
        from distilpose_keras.files import write_json

        write_json(arguments.json, rows)


def _module(kind):
    return importlib.import_module(f"distilpose_keras.benchmarks.{kind}")


def _print_table(columns, rows):
    """Print rows that have the same columns."""
    from rich.table import Table

    from distilpose_keras.commands.tables import print_table

    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    print_table(table)
