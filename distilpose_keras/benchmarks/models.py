"""Latency of named models as TFLite files, beside what their papers score on COCO."""

import gc
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress

from distilpose_keras.benchmarks.latency import one_core
from distilpose_keras.benchmarks.open_files import open_call
from distilpose_keras.export.convert import float_tflite
from distilpose_keras.export.quantizers import finish_tflite
from distilpose_keras.files import atomic_path
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import FIGURES, MODELS
from distilpose_keras.timing import interleave

REFERENCE = "distilpose_s"


def run(args):
    """Measure, and return one dict per model, the fastest first.

    Each model is written as a float32 TFLite file with the weights that it starts with,
    and its time for a crop is compared with that of `REFERENCE`, in turns, on one
    thread: ``ms`` is the median of the thread's processor time, ``ratio`` that of the
    ratios within a round. ``paper_ap`` is what the model's paper has, null where
    there is none.

    Args:
        args: namespace of the arguments of ``distilpose benchmark models``.

    Raises:
        ValueError: if there is no model of a name, or the chart is to be no ``.png``.
    """
    unknown = [name for name in args.models if name not in MODELS]
    if unknown:
        raise ValueError(
            f"no model is called {unknown[0]}; `distilpose models` lists them"
        )
    if args.chart and args.chart.suffix != ".png":
        raise ValueError(f"--chart must end in .png. Received: {args.chart}")
    names = args.models or [n for n in MODELS if FIGURES[n].gmacs <= args.largest]
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("models", total=len(names))
        reference = write_model(REFERENCE, Path(folder) / "reference.tflite")
        for name in names:
            path = write_model(name, Path(folder) / "model.tflite")
            with one_core():
                calls = [open_call(str(reference)), open_call(str(path))]
                seconds = interleave(calls, rounds=args.rounds, clock=time.thread_time)
            rows.append(row(name, seconds, path.stat().st_size))
            del calls
            bar.advance(task)
    if args.chart:
        from distilpose_keras.report.charts import latency_chart

        with atomic_path(args.chart) as temporary:
            latency_chart(rows).savefig(temporary)
    return sorted(rows, key=lambda row: row["ms"])


def write_model(name, path):
    """Write a model with the weights that it starts with; return the path."""
    keras.utils.set_random_seed(0)
    model = build_model(name)
    path.write_bytes(finish_tflite(float_tflite(model), model, "float32"))
    del model
    keras.backend.clear_session()
    gc.collect()
    return path


def row(name, seconds, size):
    """One row.

    Args:
        name: of the model.
        seconds: (rounds, 2) of the reference's crops and of its own.
        size: bytes of its file.
    """
    config, figures = MODELS[name], FIGURES[name]
    return {
        "model": name,
        "family": type(config).__name__,
        "input": "{}x{}".format(*config.input_size),
        "params_m": round(figures.trainable_params / 1e6, 2),
        "gmacs": round(figures.gmacs, 3),
        "mb": round(size / 1e6, 1),
        "ms": round(1e3 * float(np.median(seconds[:, 1])), 1),
        "ratio": round(float(np.median(seconds[:, 1] / seconds[:, 0])), 3),
        "paper_ap": figures.paper_ap,
    }
