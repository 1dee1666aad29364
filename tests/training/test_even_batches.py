"""Batches that split evenly, worked out by hand."""

import keras
import numpy as np
import pytest

from distilpose_keras.data.share import Share
from distilpose_keras.training.even_batches import EvenBatches, part_of, split_evenly
from distilpose_keras.training.loop import RestOfEpoch


class Plain(keras.utils.PyDataset):
    """One batch; sample n holds the number n."""

    def __init__(self, samples, **kwargs):
        super().__init__(**kwargs)
        self.numbers = np.arange(samples, dtype="float32")[:, None]
        self.calls = []

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.numbers, {"keypoints": 10 * self.numbers}, self.numbers[:, 0]

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


@pytest.mark.parametrize(
    "samples, replicas, repeats", [(5, 2, 2), (6, 2, 1), (6, 4, 2), (3, 4, 4)]
)
def test_a_batch_is_repeated_until_it_divides(samples, replicas, repeats):
    images, targets, weights = split_evenly(Plain(samples), Share(replicas=replicas))[0]
    assert len(images) == samples * repeats and len(images) % replicas == 0
    expected = [n for n in range(samples) for _ in range(repeats)]
    assert images[:, 0].tolist() == weights.tolist() == expected
    assert targets["keypoints"][:, 0].tolist() == [10 * n for n in expected]
    assert (targets["repeats"] == repeats).all()
    # Counted with 1 / repeats, every sample is there once.
    assert (1 / targets["repeats"]).sum() == pytest.approx(samples)


class Divided(Plain):
    """Makes no more of a batch than it is asked for, and counts it."""

    made = 0

    def part(self, index, share):
        slots = share.slots(len(self.numbers))
        self.made += len(self.numbers[slots])
        part = [array[slots] for array in (self.numbers, self.numbers[:, 0])]
        return len(self.numbers), (part[0], {"keypoints": 10 * part[0]}, part[1])


class Changed(Divided):
    """A subclass that makes other batches, and does not say how they divide."""

    def __getitem__(self, index):
        images, *rest = super().__getitem__(index)
        return images + 100, *rest


@pytest.mark.parametrize("kind", [Plain, Divided])
def test_a_process_gets_its_own_part(kind):
    dataset = kind(5)
    batches = [split_evenly(dataset, Share(n, 2, 2))[0] for n in range(2)]
    expected = [[0, 0, 1, 1, 2], [2, 3, 3, 4, 4]]
    for (images, targets, weights), numbers in zip(batches, expected, strict=True):
        assert images[:, 0].tolist() == weights.tolist() == numbers
        assert targets["keypoints"][:, 0].tolist() == [10 * n for n in numbers]
        assert targets["repeats"].tolist() == [[2]] * 5


def test_a_process_makes_only_its_own_part():
    dataset = Divided(6)
    for number in range(2):
        dataset.made = 0
        split_evenly(dataset, Share(number, 2, 2))[0]
        assert dataset.made == 3
        rest = split_evenly(RestOfEpoch(dataset, 0), Share(number, 2, 2))
        assert len(rest[0][0]) == 3
        assert dataset.made == 6
    plain = split_evenly(RestOfEpoch(Plain(6), 0), Share(1, 2, 2))
    assert plain[0][0][:, 0].tolist() == [3, 4, 5]


def test_a_subclass_with_other_batches_is_asked_for_them():
    samples, (images, *_) = part_of(Changed(4), 0, Share(1, 2, 2))
    assert samples == 4
    assert images[:, 0].tolist() == [102, 103]


def test_what_needs_no_splitting_is_left_alone():
    dataset = Plain(5)
    assert split_evenly(dataset, Share()) is dataset
    arrays = np.zeros((5, 1))
    assert split_evenly(arrays, Share(replicas=2)) is arrays
    even = split_evenly(dataset, Share(replicas=2))
    assert split_evenly(even, Share(replicas=2)) is even


def test_the_wrapped_data_set_keeps_its_length_settings_and_epochs():
    dataset = Plain(5, workers=2, max_queue_size=3)
    even = EvenBatches(dataset, Share(replicas=2))
    assert (even.num_batches, even.workers, even.max_queue_size) == (1, 2, 3)
    even.on_epoch_begin()
    even.on_epoch_end()
    assert dataset.calls == ["begin", "end"]
