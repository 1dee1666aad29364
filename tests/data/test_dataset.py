import dataclasses
import gc
import json
import os
from collections import Counter
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import recipe
import tiny_pose

from distilpose_keras.data.coco import load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.pixels import normalize_images

from .conftest import SIZE, annotation, coco_document, workers_of


def make(people, **options):
    defaults = {"batch_size": 4, "input_size": SIZE, "image_dtype": "uint8"}
    return PoseDataset(people, **{**defaults, **options})


def assert_same(batch, other):
    np.testing.assert_array_equal(batch[0], other[0])
    for name in ("keypoints", "weights"):
        np.testing.assert_array_equal(batch[1][name], other[1][name])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_batch_is_images_and_targets(people, dtype):
    batches = make(people, image_dtype=dtype)
    images, targets = batches[0]
    assert images.shape == (4, 64, 48, 3) and images.dtype == dtype
    assert set(targets) == {"keypoints", "weights"}
    assert targets["keypoints"].shape == (4, 17, 2)
    assert targets["weights"].shape == (4, 17, 1)
    assert all(value.dtype == np.float32 for value in targets.values())
    assert set(np.unique(targets["weights"])) <= {0.0, 1.0}
    inside = targets["weights"][..., 0] > 0
    assert (targets["keypoints"][inside] >= 0).all()
    assert (targets["keypoints"][inside] < 1).all()


@pytest.mark.backend
def test_float_images_are_normalised_as_the_models_expect(people):
    images = make(people, image_dtype="float32")[1][0]
    expected = keras.ops.convert_to_numpy(normalize_images(make(people)[1][0]))
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_the_last_batch_may_be_smaller(people):
    batches = make(people, batch_size=5)
    count = len(people)
    assert count % 5  # else this shows nothing
    assert [len(batches[i][0]) for i in range(len(batches))] == [5] * (count // 5) + [
        count % 5
    ]
    whole = make(people, batch_size=5, drop_last=True)
    assert [len(whole[i][0]) for i in range(len(whole))] == [5] * (count // 5)
    with pytest.raises(IndexError):
        whole[len(whole)]


def keypoints_of(batches):
    return np.concatenate([batches[i][1]["keypoints"] for i in range(len(batches))])


def test_everyone_comes_once_an_epoch_in_another_order(people):
    options = {"augmentation": None}
    plain = keypoints_of(make(people, shuffle=False, **options))
    batches = make(people, **options)
    first = keypoints_of(batches)
    batches.set_epoch(1)
    second = keypoints_of(batches)
    for order in (first, second):
        assert (order != plain).any()
        np.testing.assert_array_equal(
            np.sort(order.reshape(len(people), -1), axis=0),
            np.sort(plain.reshape(len(people), -1), axis=0),
        )
    assert (first != second).any()


def test_batches_are_the_same_for_any_workers_and_any_way_to_ask(people):
    alone = make(people, seed=3)
    expected = {}
    for epoch in (0, 1):
        alone.set_epoch(epoch)
        for i in range(len(alone)):
            expected[epoch, i] = alone[i]
    assert not np.array_equal(expected[0, 0][0], expected[1, 0][0])
    other = make(people, seed=4)
    assert not np.array_equal(expected[0, 0][0], other[0][0])
    for workers in (2, 3):
        with make(people, seed=3, workers=workers) as batches:
            for epoch in (1, 0):
                batches.set_epoch(epoch)
                for i in range(len(batches)):
                    assert_same(batches[i], expected[epoch, i])
                for i in (3, 1, 4, 1, 0):
                    assert_same(batches[i], expected[epoch, i])


def test_no_process_stays(people):
    before = workers_of(os.getpid())
    batches = make(people, workers=2)
    assert workers_of(os.getpid()) == before  # they start with the first batch
    batches[0]
    assert len(workers_of(os.getpid())) == len(before) + 2
    batches.close()
    assert workers_of(os.getpid()) == before
    batches[1]  # starts them anew
    with pytest.raises(KeyError), batches:
        raise KeyError
    assert workers_of(os.getpid()) == before
    forgotten = make(people, workers=2)
    forgotten[0]
    del forgotten
    gc.collect()
    assert workers_of(os.getpid()) == before


class Recorded(PoseDataset):
    """Notes which batches are asked for."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = []

    def __getitem__(self, index):
        self.asked.append((self.epoch, index))
        return super().__getitem__(index)


@pytest.mark.backend
@pytest.mark.parametrize("workers", [1, 2])
def test_fit_uses_every_batch_of_every_epoch(people, workers):
    before = workers_of(os.getpid())
    options = {"batch_size": 8, "input_size": SIZE, "workers": workers}
    with Recorded(people, **options) as batches:
        validation = make(people, image_dtype="float32", shuffle=False)
        model = tiny_pose.pooled_model(SIZE)
        history = model.fit(
            batches,
            epochs=3,
            shuffle=False,
            validation_data=validation,
            verbose=0,
        )
        assert np.isfinite(history.history["val_loss"]).all()
        steps = len(batches)
        # Keras looks at a batch or two before an epoch; the rest are used, in order.
        used = [(epoch, i) for epoch in range(3) for i in range(steps)]
        assert batches.asked[-2 * steps :] == used[-2 * steps :]
        assert set(batches.asked) == set(used)
        batches.set_epoch(7)
        batches.asked.clear()
        model.fit(batches, epochs=1, verbose=0)  # Keras shuffles the batches
        counts = Counter(batches.asked)
        assert set(counts) == {(7, i) for i in range(steps)}
        assert batches.epoch == 8
    assert workers_of(os.getpid()) == before


@pytest.mark.slow
@pytest.mark.backend
def test_training_repeats_from_its_seed(people):
    def train(**options):
        keras.utils.set_random_seed(0)
        with make(people, image_dtype="float32", **options) as batches:
            model = tiny_pose.pooled_model(SIZE)
            model.fit(batches, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    first = train()
    for a, b in zip(first, train(workers=2), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert any(not np.allclose(a, b) for a, b in zip(first, train(seed=1), strict=True))


@pytest.fixture
def damaged(tmp_path):
    """Six people; the picture of the third is cut, that of the fifth is missing."""
    images = [(n, 60, 80) for n in range(6)]
    for n in range(6):
        cv2.imwrite(str(tmp_path / f"{n}.jpg"), recipe.picture(60, 80, seed=n))
    cut = tmp_path / "2.jpg"
    cut.write_bytes(cut.read_bytes()[:-400])
    (tmp_path / "4.jpg").unlink()
    path = tmp_path / "people.json"
    entries = [annotation(n, (5, 5, 40, 40), n) for n in range(6)]
    path.write_text(json.dumps(coco_document(entries, images)))
    return load_people(path, tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_picture_stops_and_is_named(damaged, workers):
    with make(damaged, batch_size=6, shuffle=False, workers=workers) as batches:
        with pytest.raises(ImageError, match=r"truncated: .*2\.jpg") as error:
            batches[0]
        assert batches.failure is error.value
        with make(damaged.take([4, 5]), workers=workers) as others:
            with pytest.raises(ImageError, match=r"cannot read image .*4\.jpg"):
                others[0]


@pytest.mark.backend
def test_fit_stops_at_a_bad_picture(damaged):
    batches = make(damaged, image_dtype="float32", batch_size=2, shuffle=False)
    with pytest.raises(Exception, match=r"2\.jpg"):  # TensorFlow wraps the error
        tiny_pose.pooled_model(SIZE).fit(batches, shuffle=False, verbose=0)
    assert isinstance(batches.failure, ImageError)
    assert "2.jpg" in str(batches.failure)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_picture_is_skipped_on_demand_and_recorded(damaged, workers):
    options = {"shuffle": False, "skip_bad_images": True, "workers": workers}
    plain = make(damaged.take([0, 1, 3, 5]), augmentation=None, shuffle=False)
    expected = plain[0]
    with make(damaged, batch_size=6, augmentation=None, **options) as batches:
        images, targets = batches[0]
        # The next good person of the batch comes twice.
        for slot, good in enumerate([0, 1, 2, 2, 3, 3]):
            np.testing.assert_array_equal(images[slot], expected[0][good])
            for name, values in targets.items():
                np.testing.assert_array_equal(values[slot], expected[1][name][good])
        assert sorted(Path(path).name for path in batches.bad_images) == [
            "2.jpg",
            "4.jpg",
        ]
        assert batches.failure is None
    with make(damaged.take([2, 4]), **options) as none_good:
        with pytest.raises(ImageError, match=r"2\.jpg"):
            none_good[0]


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"image_dtype": "float16"}, "image_dtype must be .* Received: 'float16'"),
        ({"batch_size": 0}, "at least 1. Received: 0 and 1"),
        ({"workers": 0}, "at least 1. Received: 4 and 0"),
        ({"batch_size": 1000, "drop_last": True}, "no batch can be made"),
    ],
)
def test_wrong_arguments_are_refused(people, options, problem):
    with pytest.raises(ValueError, match=problem):
        make(people, **options)


def test_a_data_set_without_people_is_refused(people):
    with pytest.raises(ValueError, match="no batch can be made. Received: 0 people"):
        make(people.take([]))


def test_appearance_has_a_seed_for_each_person_and_epoch(people):
    seen = []

    def invert(images, seeds):
        seen.append(seeds)
        return 255 - images

    options = {"seed": 5, "augmentation": Augmentation.none()}
    changed = make(people, appearance=invert, shuffle=False, **options)
    changed.set_epoch(2)
    plain = make(people, shuffle=False, **options)
    np.testing.assert_array_equal(changed[1][0], 255 - plain[1][0])
    # Another stream than that of the crops, which (seed, epoch, person) begins.
    assert seen == [[(5, 2, person, 1) for person in range(4, 8)]]


def test_names_with_a_side_and_no_pair_stop_mirrored_training(people):
    schema = dataclasses.replace(people.schema, unpaired=("left_hip",))
    people = dataclasses.replace(people, schema=schema)
    with pytest.raises(ValueError, match="cannot be mirrored.*left_hip"):
        PoseDataset(people, batch_size=2)
    upright = Augmentation(flip_probability=0)
    with PoseDataset(people, batch_size=2, augmentation=upright) as batches:
        assert len(batches[0][0]) == 2
