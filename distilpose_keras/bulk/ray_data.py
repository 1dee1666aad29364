"""A large job on Ray Data: on the cores of this machine, or on a cluster."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from distilpose_keras.bulk.parts import Part, PartMaker, Settings, part_of_values
from distilpose_keras.files import standard_error_dropped
from distilpose_keras.types import FilePath

ANSWER_SECONDS = 30  # patience with an address
# Ray sets OMP_NUM_THREADS, which PyTorch obeys.
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
STORE_BYTES = 128 << 20  # Ray's memory for what passes between processes: parts' names


def import_ray() -> Any:
    """Import Ray Data.

    Raises:
        ModuleNotFoundError: with the command that installs it.
    """
    # Ray would report its use to its makers, and print what bothers itself alone.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'--engine ray needs Ray: pip install "distilpose-keras[ray]" ({error})'
        ) from None
    return ray


@contextmanager
def ray_cluster(address: str | None, workers: int | None) -> Iterator[int]:
    """Join a Ray cluster, or start one on this machine; leave or end it afterwards.

    Args:
        address: HOST:PORT of a cluster's head, or ``auto`` for the one that this
            machine belongs to; None starts one.
        workers: processes that find poses; by default one for each core there is.

    Yields:
        The number of workers.

    Raises:
        ModuleNotFoundError: if Ray is not installed.
        ValueError: if nobody answers within `ANSWER_SECONDS`, or if there are fewer
            cores than workers.
    """
    ray = import_ray()
    options: dict[str, Any] = {"address": address}
    if address is None:
        workers = workers or os.cpu_count() or 1
        options = {"address": "local", "num_cpus": workers, "include_dashboard": False}
        options["object_store_memory"] = STORE_BYTES
    elif address != "auto":
        _check_answer(address)
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        # Ray tells there which log level it was given.
        with standard_error_dropped():
            ray.init(**options, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"no Ray cluster at {address}: {' '.join(str(error).split())[:200]}"
        ) from None
    try:
        cores = int(ray.cluster_resources().get("CPU", 0))
        workers = workers or cores
        if not 0 < workers <= cores:
            raise ValueError(
                f"the Ray cluster has {cores} cores. Received: {workers} workers"
            )
        yield workers
    finally:
        ray.shutdown()


def make_parts(
    parts: list[Part], folder: FilePath, settings: Settings, workers: int
) -> Iterator[dict[str, Any]]:
    """Make parts in the cluster that was joined; yield the figures of each as it ends.

    A part whose worker dies is made again by another.

    Args:
        parts: what is to be made.
        folder: of their files, absolute, the same for all workers.
        settings: of the job.
        workers: processes.

    Raises:
        ValueError: if a worker cannot go on, because of a full disk for instance.
    """
    import ray

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = [{"part": tuple(part)} for part in parts]
    # A block is what is made again if its worker dies: one part.
    made = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Worker,
        fn_constructor_args=(str(folder), settings),
        batch_size=1,
        concurrency=workers,
        num_cpus=1,
    )
    for row in made.iter_rows():
        if row["problem"]:
            raise ValueError(row["problem"])
        yield row


class Worker:
    """What Ray starts on a core: a `PartMaker`."""

    def __init__(self, folder: str, settings: Settings) -> None:
        """Open the models, for one core: the workers are the parallelism."""
        cv2.setNumThreads(1)
        for name, value in ONE_THREAD.items():
            os.environ.setdefault(name, value)
        self._maker = PartMaker(folder, settings)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Make parts; return columns of their figures."""
        parts = [part_of_values(*values) for values in batch["part"]]
        made = [self._make(part) for part in parts]
        return {name: [row[name] for row in made] for name in made[0]}

    def _make(self, part):
        """Make a part; what a user can help is said without the traceback of Ray."""
        try:
            return {**self._maker.make(part), "problem": ""}
        except (ValueError, OSError) as error:
            nothing = {"pictures": 0, "people": 0, "errors": 0}
            return {"part": part.number, **nothing, "problem": str(error)}


def _check_answer(address):
    """Raise if no head of a cluster answers: Ray would wait, and then abort."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"--address must be HOST:PORT or auto. Received: {address}")
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    command += ["--address", address]
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
        subprocess.run(command, check=True, capture_output=True, timeout=ANSWER_SECONDS)
    except (OSError, OverflowError, subprocess.SubprocessError):
        raise ValueError(f"no Ray cluster answers at {address}") from None
