"""Scenes that are put together of several pictures."""

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.scenes import (
    SMALLEST_CELL,
    Scene,
    SceneDataset,
    SceneMaker,
    divide,
    visible_parts,
)
from distilpose_keras.data.scenes import _cover as cover

SIZE = (128, 160)


@pytest.fixture(scope="module")
def everybody(data):
    return load_people(*coco_paths(data, "train"), require_keypoints=False)


@pytest.mark.parametrize("seed", range(5))
def test_cells_cover_the_scene_once(seed):
    rng = np.random.default_rng(seed)
    covered = np.zeros((288, 384), int)
    for left, top, width, height in divide(rng, (0, 0, 384, 288), 1.0):
        assert min(width, height) >= 0.35 * 2 * SMALLEST_CELL - 1
        covered[top : top + height, left : left + width] += 1
    assert (covered == 1).all()


def test_who_counts_at_a_border_by_hand():
    boxes = [
        [-4, 10, 10, 20],  # 6 of 10 columns are inside
        [-8, 10, 10, 20],  # 2 of 10
        [90, 90, 40, 40],  # a quarter of each side
        [50, 50, 4, 30],  # narrower than 5 pixels
        [200, 0, 10, 10],  # outside
    ]
    people, ignored = visible_parts(np.array(boxes, float), (100, 100))
    assert people.tolist() == [[0, 10, 6, 20]]
    assert ignored.tolist() == [[0, 10, 2, 20], [90, 90, 10, 10], [50, 50, 4, 30]]


def test_who_is_pasted_over_is_nobodys_fault():
    hidden, seen = np.array([0.0, 0, 10, 10]), np.array([8.0, 0, 10, 10])
    scene = Scene(np.zeros((20, 20, 3), np.uint8), [hidden, seen], [])
    cover(scene, np.array([0.0, 0, 10, 8]))  # 8 and 1.6 tenths of them
    assert scene.boxes == [seen]
    assert scene.ignored == [hidden]


def test_people_lie_inside_the_scene(everybody):
    maker = SceneMaker(everybody, SIZE)
    seen = 0
    for seed in range(20):
        scene = maker.make(np.random.default_rng(seed))
        assert scene.image.shape == (*SIZE, 3)
        for left, top, width, height in scene.boxes:
            assert -1e-6 <= left <= left + width <= SIZE[1] + 1e-6
            assert -1e-6 <= top <= top + height <= SIZE[0] + 1e-6
            seen += 1
    assert seen > 10


def test_a_batch_follows_from_seed_epoch_and_index(everybody):
    how = {"input_size": SIZE, "batch_size": 2, "batches": 3}
    one, other = (SceneDataset(everybody, **how, seed=4) for _ in range(2))
    images, targets = one[2]
    np.testing.assert_array_equal(other[2][0], images)
    assert images.shape == (2, *SIZE, 3)
    assert images.dtype == np.uint8
    assert targets["middles"].shape == (2, 16, 20, 1)
    assert targets["sides"].shape == (2, 16, 20, 4)
    other.set_epoch(1)
    assert (other[2][0] != images).any()
    assert (SceneDataset(everybody, **how, seed=5)[2][0] != images).any()
