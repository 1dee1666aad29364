"""Two processes, each with its part of every batch, played by one."""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.data.appearance import AppearanceAugmentation
from distilpose_keras.data.coco import load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.samples import SampleLoader
from distilpose_keras.data.share import Share

from .conftest import SIZE, annotation, coco_document

TWO = [Share(n, 2, 2) for n in range(2)]


def make(people, **options):
    defaults = {"batch_size": 4, "input_size": SIZE, "image_dtype": "uint8"}
    return PoseDataset(people, **{**defaults, **options})


def assert_parts_make(parts, whole):
    """Check that two parts, which may share one sample, are a batch."""
    samples = len(whole[0])
    for share, (size, part) in zip(TWO, parts, strict=True):
        assert size == samples
        slots = share.slots(samples)
        np.testing.assert_array_equal(part[0], whole[0][slots])
        for name, values in whole[1].items():
            np.testing.assert_array_equal(part[1][name], values[slots])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("batch_size", [4, 5])
def test_parts_make_the_batch_of_one_process(people, batch_size, workers):
    options = {"batch_size": batch_size, "seed": 3}
    whole = make(people, **options)
    first, second = (make(people, workers=workers, **options) for _ in TWO)
    with first, second:
        for epoch in (0, 1):
            for dataset in (whole, first, second):
                dataset.set_epoch(epoch)
            for i in [*range(len(whole)), 1]:
                parts = [d.part(i, s) for d, s in zip((first, second), TWO)]  # noqa: B905
                assert_parts_make(parts, whole[i])
        # The processes may change, as they do where a training is resumed.
        assert_parts_make([second.part(0, share) for share in TWO], whole[0])
        np.testing.assert_array_equal(first[1][0], whole[1][0])
        # What was prepared ahead for the other one is not mistaken for this one's.
        prepared = [second.part(n, share) for n, share in enumerate(TWO)]
        slots = TWO[1].slots(prepared[1][0])
        np.testing.assert_array_equal(prepared[1][1][0], whole[1][0][slots])


def test_each_process_makes_half_of_the_crops(people, monkeypatch):
    crops = []
    load_one = SampleLoader._load_one

    def counted(self, request, n, *rest):
        crops.append(int(request.indices[n]))
        return load_one(self, request, n, *rest)

    monkeypatch.setattr(SampleLoader, "_load_one", counted)
    batches = make(people.take(np.arange(16)))
    made = []
    for share in TWO:
        crops.clear()
        for i in range(len(batches)):
            batches.part(i, share)
        made.append(sorted(crops))
    assert [len(each) for each in made] == [8, 8]
    assert sorted(made[0] + made[1]) == list(range(16))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="keras-cv needs TensorFlow"
)
def test_appearance_is_drawn_for_each_sample(people):
    pytest.importorskip("keras_cv")
    batches = make(people, appearance=AppearanceAugmentation())
    parts = [batches.part(1, share) for share in TWO]
    assert_parts_make(parts, batches[1])
    assert (make(people)[1][0] != batches[1][0]).any()


@pytest.fixture
def damaged(tmp_path):
    """Six people; the pictures of the third and fourth are missing."""
    images = [(n, 60, 80) for n in range(6)]
    for n in (0, 1, 4, 5):
        cv2.imwrite(str(tmp_path / f"{n}.jpg"), recipe.picture(60, 80, seed=n))
    path = tmp_path / "people.json"
    entries = [annotation(n, (5, 5, 40, 40), n) for n in range(6)]
    path.write_text(json.dumps(coco_document(entries, images)))
    return load_people(path, tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_picture_is_replaced_as_in_one_process(damaged, workers):
    options = {"shuffle": False, "batch_size": 6, "skip_bad_images": True}
    whole = make(damaged, **options)
    with make(damaged, workers=workers, **options) as batches:
        parts = [batches.part(0, share) for share in TWO]
        assert_parts_make(parts, whole[0])
        # The third stands at the end of the first half: the fifth took its place.
        np.testing.assert_array_equal(parts[0][1][0][2], whole[0][0][4])
        named = sorted(Path(path).name for path in batches.bad_images)
        assert named == ["2.jpg", "3.jpg"]


def test_a_process_stops_at_its_own_bad_picture(damaged):
    batches = make(damaged, shuffle=False, batch_size=6)
    for share, name in zip(TWO, ("2.jpg", "3.jpg"), strict=True):
        with pytest.raises(ImageError, match=name):
            batches.part(0, share)
    none_good = make(damaged.take([2, 3]), shuffle=False, skip_bad_images=True)
    with pytest.raises(ImageError, match="2.jpg"):
        none_good.part(0, TWO[1])


def test_fewer_people_than_processes_are_refused(people):
    with pytest.raises(ValueError, match="in 3 processes needs .* Received: 2"):
        make(people.take([0, 1])).part(0, Share(2, 3, 3))
