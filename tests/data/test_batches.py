"""Batches are put together from what one process or several make."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from distilpose_keras.data import batches
from distilpose_keras.data.batches import BatchJob, BatchMaker
from distilpose_keras.data.samples import SampleLoader
from distilpose_keras.data.transforms import Augmentation

from .conftest import workers_of


def make(people, workers):
    loader = SampleLoader(people.schema, (64, 48), Augmentation(), 0, 1 << 20)
    return BatchMaker(people, loader, workers)


class SpyPool:
    """Takes tasks and never works on them."""

    def __init__(self, loader, workers):
        self.workers = workers
        self.tasks = []

    def submit(self, worker, request, epoch, arrays, slots):
        self.tasks.append((worker, request, epoch, slots))
        return Future()

    def close(self):
        pass


def test_a_picture_goes_to_the_same_worker_in_every_batch(people, monkeypatch):
    monkeypatch.setattr(batches, "WorkerPool", SpyPool)
    maker = make(people, workers=3)
    order = np.random.default_rng(0).permutation(len(people))
    keep = order % 2 == 0
    worker_of = {}
    for begin in (0, 8):
        maker._pool = None  # a new list of tasks
        chosen = slice(begin, begin + 8)
        maker.start(order[chosen], keep[chosen], epoch=4)
        slots = np.concatenate([slots for *_, slots in maker._pool.tasks])
        assert sorted(slots) == list(range(8))
        for worker, request, epoch, slots in maker._pool.tasks:
            assert epoch == 4
            assert request.indices.tolist() == order[chosen][slots].tolist()
            assert request.keep.tolist() == (request.indices % 2 == 0).tolist()
            for n, path in zip(request.indices, request.paths, strict=True):
                assert path == str(people[int(n)].image_path)
                assert worker_of.setdefault(path, worker) == worker
            np.testing.assert_array_equal(
                request.boxes_xywh, [people[int(n)].box_xywh for n in request.indices]
            )
    assert set(worker_of.values()) == {0, 1, 2}


def test_one_worker_is_the_calling_process(people):
    maker = make(people, workers=1)
    assert not maker.works_ahead
    before = workers_of(os.getpid())
    arrays, errors = maker.start(np.arange(3), np.zeros(3, bool), 0).result()
    assert workers_of(os.getpid()) == before
    assert arrays.images.shape == (3, 64, 48, 3)
    assert not errors


def test_a_job_joins_the_errors_of_its_parts():
    parts = [Future(), Future()]
    parts[0].set_result({2: "cut"})
    parts[1].set_result({0: "missing"})
    job = BatchJob(np.arange(3), slice(0, 3), 0, "arrays", parts)
    assert job.result() == ("arrays", {0: "missing", 2: "cut"})


def test_cancelling_a_job_drops_what_no_worker_has_begun():
    begun, waiting = Future(), Future()
    begun.set_running_or_notify_cancel()
    BatchJob(np.arange(2), slice(0, 2), 0, "arrays", [begun, waiting]).cancel()
    assert waiting.cancelled() and begun.running()


def test_a_dead_worker_is_reported_and_closing_replaces_it(people):
    maker = make(people, workers=2)
    everyone, keep = np.arange(8), np.zeros(8, bool)
    before = workers_of(os.getpid())
    maker.start(everyone, keep, 0).result()
    for pid in set(workers_of(os.getpid())) - set(before):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"worker process died \(exit code -9\)"):
        maker.start(everyone, keep, 1).result()
    maker.close()
    arrays, errors = maker.start(everyone, keep, 1).result()
    assert len(arrays.images) == 8 and not errors
    maker.close()
    assert workers_of(os.getpid()) == before


PROGRAM = """
    import sys, time
    import numpy as np
    from distilpose_keras.data.batches import BatchMaker
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.data.samples import SampleLoader
    from distilpose_keras.data.transforms import Augmentation
    people = load_people(*coco_paths(sys.argv[1], "train"))
    loader = SampleLoader(people.schema, (64, 48), Augmentation(), 0, 1 << 20)
    maker = BatchMaker(people, loader, workers=2)
    maker.start(np.arange(8), np.zeros(8, bool), 0).result()
    print("started", flush=True)
    if sys.argv[2] == "wait":
        time.sleep(60)
"""


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("end", ["exit", "wait"])
def test_no_process_outlives_the_program(people_dir, root, end):
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), people_dir, end],
        env=dict(os.environ, PYTHONPATH=str(root)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout.readline() == "started\n"
    workers = workers_of(program.pid)
    if end == "wait":
        assert len(workers) == 2
        program.send_signal(signal.SIGKILL)
    program.wait(30)
    program.stdout.close()
    assert wait_until(
        lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers)
    )
