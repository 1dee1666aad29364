"""Worker processes fill the right slots, and fail without hanging."""

import cv2
import numpy as np
import pytest

from distilpose_keras.data.samples import SampleArrays, SampleLoader
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.data.worker_pool import WorkerPool, _read_exactly
from distilpose_keras.keypoints import COCO_17

from .conftest import SIZE, whole_picture


@pytest.fixture
def pool():
    loader = SampleLoader(COCO_17, SIZE, Augmentation.none(), 0, 1 << 20)
    pool = WorkerPool(loader, 2)
    yield pool
    pool.close()


@pytest.fixture
def paths(tmp_path):
    """Four pictures, each of one grey: 0, 50, 100, 150."""
    paths = [str(tmp_path / f"{n}.png") for n in range(4)]
    for n, path in enumerate(paths):
        cv2.imwrite(path, np.full((*SIZE, 3), 50 * n, np.uint8))
    return paths


def test_samples_and_errors_come_to_their_slots(pool, paths):
    arrays = SampleArrays.empty(5, SIZE, 17)
    first = whole_picture([paths[2], "missing.png"])
    second = whole_picture([paths[0], paths[3], paths[1]])
    futures = [
        pool.submit(0, first, 0, arrays, np.array([4, 2])),
        pool.submit(1, second, 0, arrays, np.array([1, 0, 3])),
    ]
    errors, none = (future.result(30) for future in futures)
    assert list(errors) == [2] and "missing.png" in errors[2]
    assert none == {}
    good = [0, 1, 3, 4]
    assert arrays.images[good, 10, 10, 0].tolist() == [150, 0, 50, 100]
    np.testing.assert_array_equal(arrays.weights[good], 1)


def test_a_worker_that_fails_or_dies_fails_its_own_tasks_alone(pool, paths):
    pool._lanes[0]._process.kill()
    arrays = SampleArrays.empty(1, SIZE, 17)
    request, slots = whole_picture(paths[:1]), np.arange(1)
    for _ in range(2):  # the second is not sent to anybody
        with pytest.raises(RuntimeError, match=r"died \(exit code -9\)"):
            pool.submit(0, request, 0, arrays, slots).result(30)
    assert pool.submit(1, request, 0, arrays, slots).result(30) == {}
    wrong = request._replace(boxes_xywh=np.zeros((1, 3)))
    with pytest.raises(ValueError, match="boxes_xywh must be"):
        pool.submit(1, wrong, 0, arrays, slots).result(30)


def test_closing_ends_all_processes_and_leaves_no_task_waiting(pool, paths):
    arrays = SampleArrays.empty(1, SIZE, 17)
    request, slots = whole_picture(paths[:1]), np.arange(1)
    futures = [pool.submit(n % 2, request, 0, arrays, slots) for n in range(20)]
    pool.close()
    assert all(future.done() for future in futures)
    assert [lane._process.poll() for lane in pool._lanes] == [0, 0]


class Drops:
    """A pipe that gives at most three bytes at a time."""

    def __init__(self, content):
        self.content = content

    def readinto(self, view):
        part, self.content = self.content[:3], self.content[3:]
        part = part[: len(view)]
        view[: len(part)] = part
        return len(part)


def test_short_reads_are_put_together_and_an_early_end_is_noticed():
    target = bytearray(7)
    _read_exactly(Drops(b"samples"), memoryview(target))
    assert target == b"samples"
    with pytest.raises(EOFError):
        _read_exactly(Drops(b"sample"), memoryview(target))
