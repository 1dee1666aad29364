"""Batches that split evenly, worked out by hand."""

import keras
import numpy as np
import pytest

from distilpose_keras.training import even_batches
from distilpose_keras.training.even_batches import EvenBatches, split_evenly


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
    images, targets, weights = split_evenly(Plain(samples), replicas)[0]
    assert len(images) == samples * repeats and len(images) % replicas == 0
    expected = [n for n in range(samples) for _ in range(repeats)]
    assert images[:, 0].tolist() == weights.tolist() == expected
    assert targets["keypoints"][:, 0].tolist() == [10 * n for n in expected]
    assert (targets["repeats"] == repeats).all()
    # Counted with 1 / repeats, every sample is there once.
    assert (1 / targets["repeats"]).sum() == pytest.approx(samples)


def test_a_process_gets_its_own_part(monkeypatch):
    monkeypatch.setattr(
        even_batches, "process_slice", lambda samples: slice(samples // 2, samples)
    )
    images, targets, _ = split_evenly(Plain(3), 2)[0]
    assert images[:, 0].tolist() == [1, 2, 2]  # of 0 0 1 1 2 2
    assert targets["repeats"].tolist() == [[2]] * 3


def test_what_needs_no_splitting_is_left_alone():
    dataset = Plain(5)
    assert split_evenly(dataset, 1) is dataset
    arrays = np.zeros((5, 1))
    assert split_evenly(arrays, 2) is arrays
    even = split_evenly(dataset, 2)
    assert split_evenly(even, 2) is even


def test_the_wrapped_data_set_keeps_its_length_settings_and_epochs():
    dataset = Plain(5, workers=2, max_queue_size=3)
    even = EvenBatches(dataset, 2)
    assert (even.num_batches, even.workers, even.max_queue_size) == (1, 2, 3)
    even.on_epoch_begin()
    even.on_epoch_end()
    assert dataset.calls == ["begin", "end"]
