"""Measure speed: of files, the input pipeline, training, evaluation, on videos."""

import importlib
import itertools
import os

from distilpose_keras import preset_files
from distilpose_keras.commands import cli

SUMMARY = "speed of files, input, training, scoring, videos, the finder"
EXAMPLES = """examples:
  %(prog)s latency student_float32.tflite student_int8.tflite
  %(prog)s latency student.onnx --threads 4 --profile
  %(prog)s models --largest 5 --chart latency.png
  %(prog)s data --data coco
  %(prog)s training --model distilpose_s
  %(prog)s evaluation --json evaluation.json
  %(prog)s finder --data coco --smallest-area 1500
  %(prog)s video --model student.tflite
  %(prog)s predict --pictures 2000 --workers 2
  %(prog)s soak --minutes 60 --epochs 200
  %(prog)s all --coco coco --json figures.json

What is compared runs in turns; times are medians. The JSON is a list of the tables'
rows; that of `all` says of which machine and versions they are, too.
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
        if kind != "all":
            own.add_argument(
                "--json",
                type=cli.output_file,
                metavar="FILE",
                help="also write the rows",
            )


def _add_latency(add):
    add(
        "files",
        nargs="+",
        type=_path,
        metavar="FILE",
        help=".tflite or .onnx, ours or not",
    )
    add("--threads", **NUMBER, default=1, help="also with 2, 4, ... N")
    add("--rounds", **NUMBER, default=50, help="medians count")
    add("--profile", action="store_true", help="also the time per kind of operator")


def _add_models(add):
    add("models", nargs="*", metavar="NAME", help="default: all up to --largest")
    gmacs = {"type": cli.positive_float, "metavar": "GMACS"}
    add("--largest", **gmacs, default=40.0, help="of a model (default: 40)")
    add("--rounds", **NUMBER, default=7, help="medians count")
    add("--chart", type=cli.output_file, metavar="FILE", help="draw AP over time, .png")


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


def _add_preset(add):
    add(
        "--model",
        type=cli.model_file,
        default=preset_files.DEFAULT,
        metavar="MODEL",
        help=f"{cli.MODEL_FILE} (default: {preset_files.DEFAULT})",
    )


def _add_video(add):
    _add_preset(add)
    add("--frames", **NUMBER, default=100, help="of the rendered clip")
    add(
        "--finder",
        choices=("own", "none"),
        default="own",
        help="find people as predict does, or have boxes that cost nothing",
    )
    add("--rounds", **NUMBER, default=3, help="medians count")


def _add_tracking(add):
    _add_preset(add)
    add(
        "--poses",
        choices=("noisy-truth", "model"),
        default="noisy-truth",
        help="follow the truth with noise, or what finder and model see; speed is "
        "theirs either way",
    )
    add("--frames", **NUMBER, default=200, help="of each clip, 25 a second")
    add("--seeds", **NUMBER, default=5, help="clips of each kind; means count")


def _add_predict(add):
    _add_preset(add)
    add("--pictures", **NUMBER, default=400, help="that are rendered")
    add("--workers", **NUMBER, default=2, help="compared with one (default: 2)")
    add("--rounds", **NUMBER, default=1, help="medians count")


def _add_soak(add):
    _add_preset(add)
    add(
        "--minutes",
        type=cli.positive_float,
        metavar="M",
        default=60.0,
        help="of the predictor (default: 60)",
    )
    add(
        "--epochs",
        type=int,
        metavar="N",
        default=200,
        help="of the training; 0 for none (default: 200)",
    )


def _path(text):
    """An input file by its name: the measuring process is given it as JSON."""
    return str(cli.input_file(text))


def _add_finder(add):
    add("--data", required=True, **DATA, help="data set in COCO layout")
    add("--split", default="val", choices=["train", "val"])
    add("--model", type=_path, metavar="FILE", help="default: the one that ships")
    add(
        "--smallest-area",
        type=float,
        default=0.0,
        metavar="PIXELS",
        help="of people who count, in square pixels (default: 0)",
    )
    add("--limit", **NUMBER, help="search N pictures")
    add("--threads", **NUMBER, default=1)


def _add_all(add):
    add(
        "--json",
        required=True,
        type=cli.output_file,
        metavar="FILE",
        help="of machine, versions and rows; what it has already is not run again",
    )
    add(
        "--only",
        type=lambda text: text.split(","),
        metavar="KIND,...",
        help="kinds, or names of single runs in FILE (default: all)",
    )
    add("--coco", **DATA, help="COCO layout, for `data` and `finder`")
    add("--people-real", **DATA, help="COCO layout, for `finder`")
    add("--overwrite", action="store_true", help="forget the runs that FILE has")
    add(
        "--quick",
        action="store_true",
        help="so little that the figures are worth nothing",
    )


# Module of `distilpose_keras.benchmarks` -> what it measures, and its arguments.
KINDS = {
    "latency": (
        "exported files: medians and ratios on one core, threads, batches",
        _add_latency,
    ),
    "models": ("named models as files, beside their papers' AP", _add_models),
    "data": ("the input pipeline against the plain way to write it", _add_data),
    "training": ("training steps on this machine", _add_training),
    "finder": ("the person finder: recall, precision, milliseconds", _add_finder),
    "evaluation": ("crops, inference, suppression and AP", _add_evaluation),
    "tracking": ("who is who in rendered clips: MOTA, IDF1, jitter", _add_tracking),
    "video": ("predict on a video against the slowest of its stages", _add_video),
    "predict": ("very many pictures by Ray: workers, memory", _add_predict),
    "soak": ("long runs: growth of memory, open descriptors", _add_soak),
    "all": ("all that the documentation quotes, into one file", _add_all),
}


def run(arguments):
    """Measure and print the tables; only the chosen benchmark is imported.

    Returns:
        1 if of all benchmarks one failed, else 0.
    """
    module = _module(arguments.kind)
    rows = module.run(arguments)
    for columns, part in itertools.groupby(rows, key=tuple):
        _print_table(columns, list(part))
    if arguments.kind == "all":  # has written its file, run by run
        return int(module.failed(rows))
    if arguments.json:
        from distilpose_keras.files import write_json

        write_json(arguments.json, rows)
    return 0


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
