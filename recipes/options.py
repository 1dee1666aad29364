"""The flags that all training scripts share, and what becomes of them."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from distilpose_keras import cli


def standard_parser(description, examples, *, default_out, trained="student"):
    """Return an argument parser with the flags of every recipe.

    Args:
        description: first part of ``--help``.
        examples: command lines for the end of ``--help``.
        default_out: default of ``--out``.
        trained: what the recipe is for, ``"student"`` or ``"teacher"``.
    """
    parser = cli.ArgumentParser(
        description=description,
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples),
    )
    add = parser.add_argument_group("data").add_argument
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="COCO layout: annotations/person_keypoints_{train,val}2017.json, "
        "train2017/, val2017/ (default: render a synthetic set)",
    )
    add("--limit", type=_positive, metavar="N", help="use N people per split")
    add(
        "--workers",
        type=_positive,
        default=os.cpu_count() or 1,
        help="loading processes (default: one per core)",
    )
    add(
        "--skip-bad-images",
        action="store_true",
        help="go on past missing or truncated images instead of stopping",
    )
    add = parser.add_argument_group("models").add_argument
    add(
        "--preset",
        choices=("demo", "paper"),
        help="small models, or the paper's (default: paper with --data, else demo)",
    )
    if trained == "student":
        add(
            "--teacher",
            type=Path,
            metavar="FILE",
            help="trained .keras; default: train it",
        )
    add(
        "--init-backbone-from",
        type=Path,
        metavar="FILE",
        help=f"start the {trained}'s backbone from a .keras, .pth, .npz, .safetensors",
    )
    add("--epochs", type=_positive, help="epochs of every model that is trained")
    add("--batch-size", type=_positive, help="over all devices together")
    add("--seed", type=int, default=0)
    add = parser.add_argument_group("run").add_argument
    add("--out", type=Path, metavar="DIR", default=Path(default_out))
    add("--resume", action="store_true", help="continue the run in --out")
    add("--overwrite", action="store_true", help="replace the run in --out")
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
    )
    add(
        "--strategy",
        choices=("single", "mirrored", "data_parallel", "multi_worker"),
        default="single",
        help="mirrored: all GPUs by TensorFlow; data_parallel: by JAX; multi_worker: "
        "several machines, see docs/many_machines.md",
    )
    return parser


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1. Received: {text}")
    return value


def run_from(arguments, *, student=None, teacher="tokenpose_hrnet_w48"):
    """Run a recipe and print its table.

    Args:
        arguments: of `standard_parser`.
        student: name of the student of the paper preset; None trains a teacher alone.
        teacher: name of the teacher of the paper preset.
    """
    values = vars(arguments)
    preset = values.pop("preset") or ("paper" if arguments.data else "demo")
    if preset == "demo":
        run_operators_side_by_side()
    # Imported here: --help and a wrong flag answer at once.
    from distilpose_keras.recipe.options import RunOptions
    from distilpose_keras.recipe.run import run_recipe
    from distilpose_keras.recipe.settings import demo_recipe, paper_recipe
    from distilpose_keras.recipe.table import print_rows

    epochs, batch_size = values.pop("epochs"), values.pop("batch_size")
    settings = paper_recipe(student, teacher)
    if preset == "demo":
        settings = demo_recipe()
        if student is None:
            settings = replace(settings, student=None, baseline=False)
    changes = {"epochs": epochs, "batch_size": batch_size}
    changes = {name: value for name, value in changes.items() if value is not None}
    settings = replace(
        settings,
        student_training=replace(settings.student_training, **changes),
        teacher_training=replace(settings.teacher_training, **changes),
    )
    rows = run_recipe(settings, RunOptions(**values))
    if rows:  # none in a process that only helped another one
        print_rows(rows)
        print(f"report: {arguments.out / 'report.html'}")


def run_operators_side_by_side():
    """Let TensorFlow run two operators at a time, each on half of the cores.

    Threads that share one operator of a small model wait more than they work: on two
    cores a step takes 0.8 of the time, on two busy cores half of it.
    """
    half = max((os.cpu_count() or 1) // 2, 1)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(half))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
