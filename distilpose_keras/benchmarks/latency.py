"""Latency of exported files: medians, ratios, and where the time goes.

The measuring process is one of its own, on one core and with one thread of NumPy's
BLAS, which has to be set before NumPy is imported.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from distilpose_keras.benchmarks.open_files import (
    open_call,
    precision_of,
    takes_batches,
)
from distilpose_keras.benchmarks.operators import profile
from distilpose_keras.benchmarks.processes import environment
from distilpose_keras.profiling.files import Product, file_products
from distilpose_keras.timing import interleave

GEMM_SIZE = 1024
BATCHES = (4, 16)
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def run(args):
    """Measure, and return one dict per row of the tables.

    The rows: this machine's float32 matrix product (``gflops``); one crop per file on
    one core, where ``ms`` is the median of the thread's processor time, which other
    programs disturb least, ``ratio`` is against the first file and ``gemm_ratio``
    against the time that the file's multiply-accumulates (``gmacs``) would need at the
    rate of that product, ``blas_ratio`` against the time that NumPy's BLAS needs
    for the file's own matrix products and nothing else (all medians of the ratios
    within a round); more threads, by the clock; larger batches of ONNX files on one
    thread, per crop; operators.

    Args:
        args: namespace of the arguments of ``distilpose benchmark latency``.

    Raises:
        ValueError: if a file is missing or truncated, or of a model that does not take
            one tensor of a fixed size.
    """
    for file in args.files:
        file_products(file)
        open_call(file)
    settings = {key: getattr(args, key) for key in ("files", "threads", "rounds")}
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(settings | {"ops": args.profile})],
        env=environment(**dict.fromkeys(_BLAS_THREADS, "1")),
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def measure(files, threads, rounds, ops):
    """Do the work of `run` in this process."""
    rows = []
    with Progress(console=Console(stderr=True), transient=True) as bar, one_core():
        task = bar.add_task("latency", total=rounds)

        def advance():
            bar.advance(task)

        rows += _single(files, rounds, advance)
        rows += _batches([f for f in files if takes_batches(f)], rounds)
    counts = [2**i for i in range(1, threads.bit_length()) if 2**i < threads]
    rows += _threads(files, [1, *counts, threads] if threads > 1 else [], rounds)
    return rows + (_operators(files) if ops else [])


@contextlib.contextmanager
def one_core():
    """Keep this process on one of its cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def _quiet():
    """Keep what compiled code writes to standard error off the terminal."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def products_call(products):
    """Return a function that computes matrix products one after the other."""
    cases = [
        (
            product.count,
            np.ones((product.rows, product.depth), np.float32),
            np.ones((product.depth, product.columns), np.float32),
            np.empty((product.rows, product.columns), np.float32),
        )
        for product in products
    ]

    def call():
        for count, first, second, result in cases:
            for _ in range(count):
                np.matmul(first, second, out=result)

    return call


def _single(files, rounds, advance):
    """One crop, one core, next to matrix products."""
    square = [Product(1, GEMM_SIZE, GEMM_SIZE, GEMM_SIZE, True)]
    of_files = [tuple(sorted(file_products(file))) for file in files]
    products = list(dict.fromkeys(of_files))  # most files have the same
    calls = [*map(products_call, [square, *products]), *map(open_call, files)]
    seconds = interleave(calls, rounds=rounds, clock=time.thread_time, advance=advance)
    return _single_rows(files, of_files, seconds)


def _single_rows(files, of_files, seconds):
    """One row for each file.

    Args:
        files: paths.
        of_files: of each file, its sorted matrix products.
        seconds: (rounds, n) of the square product, of the files' own products, each
            list of them once, and of the files.
    """
    products = list(dict.fromkeys(of_files))
    per_mac = seconds[:, 0] / GEMM_SIZE**3  # (rounds,)
    own_seconds = dict(zip(products, seconds.T[1:], strict=False))
    file_seconds = seconds[:, 1 + len(products) :]
    rate = float(np.median(2e-9 / per_mac))
    rows = [{"matrix product": f"float32, {GEMM_SIZE} cubed", "gflops": round(rate, 1)}]
    for file, own, spent in zip(files, of_files, file_seconds.T, strict=True):
        macs = sum(product.macs for product in own)
        rows.append(
            {
                "file": Path(file).name,
                "precision": precision_of(file),
                "ms": _ms(spent),
                "ratio": _median(spent / file_seconds[:, 0]),
                "gmacs": round(macs / 1e9, 3),
                "gemm_ratio": _median(spent / (macs * per_mac)),
                "blas_ratio": _median(spent / own_seconds[own]),
            }
        )
    return rows


def _batches(files, rounds):
    """ONNX files with several crops at once, on one core."""
    sizes = (1, *BATCHES)
    cases = [(file, size) for file in files for size in sizes]
    calls = [open_call(file, batch=size) for file, size in cases]
    seconds = interleave(calls, rounds=max(rounds // 10, 3), clock=time.thread_time)
    times = {
        case: spent / case[1] for case, spent in zip(cases, seconds.T, strict=True)
    }
    return [
        {
            "file": Path(file).name,
            "batch": size,
            "ms_per_crop": _ms(spent),
            "ratio": _median(spent / times[file, 1]),
        }
        for (file, size), spent in times.items()
    ]


def _threads(files, counts, rounds):
    """One crop with several threads, by the clock."""
    cases = [(file, count) for file in files for count in counts]
    calls = [open_call(file, threads=count) for file, count in cases]
    seconds = interleave(calls, rounds=rounds) if calls else np.empty((0, 0))
    times = dict(zip(cases, seconds.T, strict=True))
    return [
        {
            "file": Path(file).name,
            "threads": count,
            "ms": _ms(spent),
            "ratio": _median(spent / times[file, 1]),
        }
        for (file, count), spent in times.items()
    ]


def _operators(files):
    """Time per kind of operator."""
    rows = []
    for file in files:
        with _quiet():
            kinds = profile(file)
        total = sum(spent for _, spent in kinds.values())
        rows += [
            {
                "file": Path(file).name,
                "operator": kind,
                "count": count,
                "ms": round(spent, 3),
                "share": round(spent / total, 3),
            }
            for kind, (count, spent) in kinds.items()
        ]
    return rows


def _ms(seconds):
    return round(1e3 * float(np.median(seconds)), 2)


def _median(ratios):
    return round(float(np.median(ratios)), 3)


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
