"""Large jobs: pictures per second by the number of workers, and their memory."""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.progress import Progress

from distilpose_keras.bulk.inputs import list_pictures
from distilpose_keras.bulk.parts import PARTS_PER_WORKER, Settings, missing_parts
from distilpose_keras.bulk.ray_data import make_parts, ray_cluster
from distilpose_keras.memory import family_mb, growth_per_hour
from distilpose_keras.preset_files import runnable_file
from distilpose_keras.synthetic import render_dataset

RENDERED = 50  # pictures; more are the same under other names


def run(args):
    """Measure, and return one row for each number of workers.

    Workers of one number after the other work through the same pictures, in turns.
    The clock runs from the moment when all of them have opened the model and made a
    part. Memory is that of Ray and all its processes.

    Args:
        args: namespace of the arguments of ``distilpose benchmark predict``.
    """
    settings = Settings(str(Path(runnable_file(args.model)).absolute()))
    counts = sorted({1, args.workers})
    with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as bar:
        pictures = list_pictures([make_pictures(Path(folder) / "in", args.pictures)])
        task = bar.add_task("pictures", total=len(pictures) * len(counts) * args.rounds)
        measured = {count: [] for count in counts}
        for turn in range(args.rounds):
            for count in counts:
                out = Path(folder) / f"{count}-{turn}"
                measured[count].append(measure(pictures, out, settings, count))
                bar.advance(task, len(pictures))
    return rows(measured, len(pictures))


def rows(measured, pictures):
    """Rows of the table from (rate, times, MB) of every round, by number of workers."""
    rates = {
        count: float(np.median([rate for rate, _, _ in rounds]))
        for count, rounds in measured.items()
    }
    table = []
    for count, rounds in measured.items():
        _, seconds, mb = rounds[-1]
        half = len(mb) // 2  # without the loading, and the filling of caches
        table.append(
            {
                "workers": count,
                "pictures": pictures,
                "per_second": round(rates[count], 2),
                "ratio": round(rates[count] / rates[min(rates)], 2),
                "mb_half": round(mb[half], 1),
                "mb_last": round(mb[-1], 1),
                "mb_per_hour": round(growth_per_hour(seconds[half:], mb[half:]), 1),
            }
        )
    return table


def measure(pictures, out, settings, workers):
    """Return pictures per second, and the memory in MB after each part, with times."""
    size = max(1, min(100, len(pictures) // (2 * PARTS_PER_WORKER * workers)))
    parts = missing_parts(out, pictures, set(), size=size)
    seconds, mb, done = [], [], []
    with ray_cluster(None, workers):
        for made in make_parts(parts, out, settings, workers):
            seconds.append(time.monotonic())
            mb.append(family_mb(os.getpid()))
            done.append(int(made["pictures"]))
    warm = workers  # each has made one part, or nearly
    return sum(done[warm:]) / (seconds[-1] - seconds[warm - 1]), seconds, mb


def make_pictures(folder, count):
    """Render some pictures, and name them as often as there are to be pictures."""
    few = min(RENDERED, count)
    data = render_dataset(folder / "data", train_images=few, val_images=1, workers=1)
    rendered = sorted((data / "train2017").iterdir())
    many = folder / "many"
    many.mkdir()
    for number in range(count):
        os.link(rendered[number % few], many / f"{number:07d}.jpg")
    return many
