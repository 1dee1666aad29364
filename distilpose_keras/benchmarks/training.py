"""Speed of a distillation step and of its parts, on every backend.

Each backend is measured by a process of its own (`training_steps`): Keras has one per
process.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import distilpose_keras
from distilpose_keras.models.presets import MODELS
from distilpose_keras.recipe.settings import demo_recipe, paper_recipe
from distilpose_keras.synthetic import render_dataset

BACKENDS = ("tensorflow", "jax", "torch")
SYNTHETIC_IMAGES = 100
AT_LEAST_ONE = ("batch_size", "workers", "rounds", "steps")


def add_arguments(parser):
    """Add the arguments of ``benchmark.py training``."""
    parser.add_argument("--model", default="demo_student", help="name of the student")
    parser.add_argument(
        "--teacher",
        metavar="NAME",
        help="name of the teacher, or none (default: the recipe's)",
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        choices=BACKENDS,
        default=BACKENDS,
        help="of which the installed ones are measured (default: all)",
    )
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
    )
    parser.add_argument(
        "--jit",
        choices=("auto", "on", "off", "both"),
        default="auto",
        help="XLA on TensorFlow; JAX always has it (default: as fit decides)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="COCO layout; a synthetic set by default"
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="loading processes (default: 1)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="medians count")
    parser.add_argument(
        "--steps", type=int, default=8, help="steps in a round, of each part too"
    )


def run(args):
    """Measure, and return one dict per row of the tables.

    First a row per backend: its device and ``gflops`` of a matrix product in the
    precision in use, a multiply-accumulate being two operations. Then the step and
    its parts: ``ms``, ``images_per_s`` and ``core_ms`` (the processor's time in all
    threads, which other programs disturb least) are medians over rounds; ``ratio`` and
    ``core_ratio`` are against the sum of the parts and ``matrix_share`` is the share
    of the rate of the matrix product that the true multiply-accumulates achieve, all
    medians of ratios within a round. The backward pass, which counts as two forward
    passes, is what a gradient takes beside the forward pass. Last, with ``--jit both``,
    the ratio of times with XLA to those without.

    Args:
        args: namespace of `add_arguments`.

    Raises:
        ValueError: if a model is unknown, the two do not fit together, no backend is
            installed or the data cannot be read.
    """
    settings = _settings(args)
    installed = [name for name in args.backends if importlib.util.find_spec(name)]
    for name in args.backends:
        if name not in installed:
            print(f"{name} is not installed: left out", file=sys.stderr)
    if not installed:
        raise ValueError(f"none is installed of {', '.join(args.backends)}")
    with tempfile.TemporaryDirectory() as folder:
        if settings["data"] is None:
            data = Path(folder) / "data"
            render_dataset(data, train_images=SYNTHETIC_IMAGES, val_images=1)
            settings["data"] = str(data)
        results = [_in_process(backend, settings) for backend in installed]
    tables = zip(*results, strict=True)
    return [row for table in tables for rows in table for row in rows]


def _settings(args):
    """What the measuring process is told, checked."""
    for name in AT_LEAST_ONE:
        if getattr(args, name) < 1:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{flag} must be at least 1. Received: {getattr(args, name)}"
            )
    demo = demo_recipe()
    usual = demo if args.model == demo.student else paper_recipe(args.model)
    teacher = args.teacher or usual.teacher
    for name in (args.model, teacher):
        if name not in MODELS and not (name is teacher and name == "none"):
            raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    return {
        "student": args.model,
        "teacher": None if teacher == "none" else teacher,
        "precision": args.precision,
        "jit": args.jit,
        "data": args.data,
        **{name: getattr(args, name) for name in AT_LEAST_ONE},
    }


def _in_process(backend, settings):
    """Measure a backend in a process; return the rows of each table."""
    root = Path(distilpose_keras.__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    module = "distilpose_keras.benchmarks.training_steps"
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(settings)],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    if isinstance(answer, str):
        raise ValueError(answer)
    return answer
