"""Speed of a distillation step and of its parts, on every backend.

Each backend is measured by a process of its own (`training_steps`): Keras has one per
process.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from distilpose_keras.benchmarks.processes import environment
from distilpose_keras.models.presets import MODELS
from distilpose_keras.recipe.settings import demo_recipe, paper_recipe
from distilpose_keras.synthetic import render_dataset

SYNTHETIC_IMAGES = 100
NUMBERS = ("batch_size", "workers", "rounds", "steps")


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
        args: namespace of the arguments of ``distilpose benchmark training``.

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
        "data": args.data and str(args.data),
        **{name: getattr(args, name) for name in NUMBERS},
    }


def _in_process(backend, settings):
    """Measure a backend in a process; return the rows of each table."""
    module = "distilpose_keras.benchmarks.training_steps"
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(settings)],
        env=environment(KERAS_BACKEND=backend),
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    if isinstance(answer, str):
        raise ValueError(answer)
    return answer
