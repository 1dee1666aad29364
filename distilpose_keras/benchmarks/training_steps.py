"""The measuring process of the training benchmark: one backend, all its parts."""

import contextlib
import json
import sys
import tempfile
import time

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress

from distilpose_keras.benchmarks.data import repeat_people
from distilpose_keras.benchmarks.step_parts import (
    FORWARD,
    GRADIENTS,
    TEACHER,
    describe_device,
    matrix_product,
    step_parts,
)
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.models.model import build_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.profiling.model import profile_model
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.precision import precision

LEARNING_RATE = 1e-6  # a step costs the same, and the weights stay near their start
MATRIX_SIZES = {"cpu": 1024, "gpu": 8192}
WAYS = {"both": (False, True), "on": (True,), "off": (False,), "auto": ("auto",)}
# Rows, beside the parts that are compiled by themselves.
STEP, SUM, INPUT = "step in fit", "sum of parts", "input"
BACKWARD = "losses, backward"
MATRIX = "matrix product"


def measure(settings):
    """Measure steps, parts and matrix products in turns.

    Args:
        settings: dict that `distilpose_keras.benchmarks.training` puts together.

    Returns:
        The rows of three tables: the machine, the parts, XLA against none.
    """
    device, name = describe_device()
    dtype = settings["precision"].removeprefix("mixed_")
    multiply, operations = matrix_product(MATRIX_SIZES[device], dtype)
    backend = keras.backend.backend()
    jit = settings["jit"] if backend == "tensorflow" else "auto"
    bar = Progress(console=Console(stderr=True), transient=True)
    with _batches(settings) as batches, bar:
        pairs = [Pair(batches, settings, way) for way in WAYS[jit]]
        for turn in bar.track(range(settings["rounds"] + 1), description=backend):
            for pair in pairs:
                pair.measure(multiply)
                if turn == 0:  # compiled and warmed up
                    pair.seconds.clear()
    products = np.concatenate([pair.taken(MATRIX)[0] for pair in pairs])
    machine = {
        "backend": backend,
        "device": name,
        "product": f"{dtype}, {MATRIX_SIZES[device]} squared",
        "gflops": round(operations / _median(products) / 1e9, 1),
    }
    rows = [
        {"backend": backend, **row}
        for pair in pairs
        for row in _rows(pair, settings["batch_size"], operations)
    ]
    return [machine], rows, _compared(*pairs) if len(pairs) == 2 else []


@contextlib.contextmanager
def _batches(settings):
    """The batches of a round: one to start with, and those that are timed."""
    people = load_people(*coco_paths(settings["data"], "train"))
    count = (settings["steps"] + 1) * settings["batch_size"]
    with (
        tempfile.TemporaryDirectory() as folder,
        PoseDataset(
            repeat_people(people, count, folder).limit(count),
            batch_size=settings["batch_size"],
            input_size=MODELS[settings["student"]].input_size,
            geometry=MODELS[settings["student"]].geometry,
            image_dtype="uint8",
            workers=settings["workers"],
        ) as batches,
    ):
        yield batches


class Pair:
    """A student and its teacher, compiled in one way, and what they took.

    Attributes:
        seconds: a dict per round from part to the seconds of one step.
        gmacs: dict from part to multiply-accumulates of one image, in 1e9.
    """

    def __init__(self, batches, settings, jit_compile):
        """Build and compile."""
        with precision(settings["precision"]):
            student = build_model(settings["student"])
            teacher = settings["teacher"] and build_model(settings["teacher"])
        self._distiller = Distiller(student=student, teacher=teacher)
        loss_scaling = settings["precision"] == "mixed_float16"
        optimizer = make_optimizer(LEARNING_RATE, loss_scaling=loss_scaling)
        self._distiller.compile(optimizer=optimizer, jit_compile=jit_compile)
        optimizer.build(self._distiller.trainable_variables)
        self._batches, self._steps = batches, settings["steps"]
        self._parts = step_parts(self._distiller, batches[0])
        self.seconds = []
        self.gmacs = {
            FORWARD: profile_model(student).gmacs,
            BACKWARD: 2 * profile_model(student).gmacs,
            TEACHER: profile_model(teacher).gmacs if teacher else 0,
        }
        self.gmacs[STEP] = self.gmacs[SUM] = sum(self.gmacs.values())

    @property
    def xla(self):
        """Whether XLA compiles the step."""
        return "on" if self._distiller.jit_compile else "off"

    def measure(self, multiply):
        """Take the time of a round: of steps, of parts and of a matrix product."""
        clock = StepClock()
        fit = {"shuffle": False, "verbose": 0, "callbacks": [clock]}
        self._distiller.fit(self._batches, epochs=1, **fit)
        order = iter(range(self._steps))
        parts = {INPUT: self._mean_time(lambda: self._batches[next(order)])}
        for name, function in self._parts.items():
            parts[name] = self._mean_time(function)
        parts[BACKWARD] = parts.pop(GRADIENTS) - parts[FORWARD]
        self.seconds.append(
            {
                STEP: clock.seconds / self._steps,
                SUM: sum(parts.values()),
                **parts,
                MATRIX: self._mean_time(multiply),
            }
        )

    def taken(self, part):
        """(rounds,) seconds of one step by the clock, and by the processor's time."""
        return np.array([seconds[part] for seconds in self.seconds]).T

    def _mean_time(self, function):
        start = _clocks()
        for _ in range(self._steps):
            function()
        return (_clocks() - start) / self._steps


def _clocks():
    """Seconds by the clock, and of the processor in all threads of this process."""
    return np.array([time.perf_counter(), time.process_time()])


class StepClock(keras.callbacks.Callback):
    """Takes the seconds of all steps of an epoch but the first."""

    def on_train_batch_end(self, batch, logs=None):
        """Start after the first step."""
        if batch == 0:
            float(logs["loss"])  # waits for the device
            self._start = _clocks()

    def on_epoch_end(self, epoch, logs=None):
        """Stop."""
        float(logs["loss"])
        self.seconds = _clocks() - self._start


def _rows(pair, images, operations):
    """One row for the step, one for the sum of its parts, and one for each."""
    (total, core_total), (product, _) = pair.taken(SUM), pair.taken(MATRIX)
    rows = []
    for part in pair.seconds[0]:
        if part == MATRIX:
            continue
        spent, core = pair.taken(part)
        achieved = 2e9 * pair.gmacs.get(part, 0) * images / spent
        rows.append(
            {
                "xla": pair.xla,
                "part": part,
                "ms": round(1e3 * _median(spent), 2),
                "images_per_s": round(images / _median(spent), 1),
                "ratio": round(_median(spent / total), 3),
                "core_ms": round(1e3 * _median(core), 2),
                "core_ratio": round(_median(core / core_total), 3),
                "matrix_share": round(_median(achieved * product / operations), 3),
            }
        )
    return rows


def _compared(without, compiled):
    """One row for each part that XLA compiles."""
    rows = []
    for part in without.seconds[0]:
        if part not in (MATRIX, INPUT):
            ratio, core = np.median(compiled.taken(part) / without.taken(part), axis=1)
            rows.append({"part": part, "xla_to_none": round(ratio, 3)})
            rows[-1]["core_xla_to_none"] = round(core, 3)
    return rows


def _median(values):
    return float(np.median(values))


def main(argument):
    """Print the tables as JSON, or one line on what cannot be measured."""
    try:
        answer = measure(json.loads(argument))
    except ValueError as error:
        answer = str(error)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
