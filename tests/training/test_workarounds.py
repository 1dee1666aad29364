"""Data sets on their way through tf.data."""

import keras
import numpy as np
import pytest

from distilpose_keras.training.trainer import PoseTrainer
from distilpose_keras.training.workarounds import without_autotuning

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends do without tf.data"
)


def nothing_to_learn(outputs, targets, sample_weight):
    """Stands in for a loss on labels."""


nothing_to_learn.terms = ()


class Numbers(keras.utils.PyDataset):
    """Four batches of one number; remembers what was asked of it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.asked = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.asked.append(index)
        x = np.full((1, 1), index, "float32")
        return x, x

    def on_epoch_begin(self):
        self.asked.append("begin")

    def on_epoch_end(self):
        self.asked.append("end")


class LastValue(keras.metrics.Metric):
    """The target of every batch, in the order they were trained on."""

    def __init__(self):
        super().__init__(name="seen")
        self.code = self.add_weight(name="code", shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.code.assign(10 * self.code + keras.ops.max(y_true))

    def result(self):
        return keras.ops.copy(self.code)


def epochs_of(data, **fit):
    """Fit for two epochs; return the batches seen in each as one decimal number."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=[LastValue()])
    return model.fit(data, epochs=2, verbose=0, **fit).history["seen"]


@pytest.mark.backend
def test_keras_trains_on_the_same_batches():
    plain, ours = Numbers(), Numbers()
    expected = epochs_of(plain, shuffle=False)
    assert epochs_of(without_autotuning(ours), shuffle=False) == expected == [123, 123]
    assert ours.asked == plain.asked
    assert ours.asked.count("end") >= 2


@on_tensorflow
def test_batches_are_shuffled_where_wanted():
    orders = set()
    for _ in range(5):
        orders |= set(epochs_of(without_autotuning(Numbers(), shuffle=True)))
    assert len(orders) > 1
    assert {"".join(sorted(f"{int(code):04d}")) for code in orders} == {"0123"}


@on_tensorflow
def test_the_tuning_thread_is_switched_off():
    pipeline = without_autotuning(Numbers()).get_tf_dataset()
    assert pipeline.options().autotune.enabled is False


@on_tensorflow
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_trainers_read_their_batches_so(method, monkeypatch):
    given = []

    def record(self, x=None, *args, validation_data=None, **kwargs):
        given.extend([x, validation_data])

    monkeypatch.setattr(keras.Model, method, record)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    options = {"validation_data": Numbers()} if method == "fit" else {}
    getattr(PoseTrainer(model, nothing_to_learn), method)(Numbers(), **options)
    read = [data.get_tf_dataset() for data in given if data is not None]
    assert len(read) == (2 if method == "fit" else 1)
    assert not any(pipeline.options().autotune.enabled for pipeline in read)


@pytest.mark.parametrize(
    "data",
    [None, np.zeros((2, 3)), (np.zeros(2), np.zeros(2)), Numbers(workers=2)],
    ids=["nothing", "array", "tuple", "own_workers"],
)
def test_other_data_is_left_alone(data):
    assert without_autotuning(data) is data


def test_other_backends_do_not_use_tf_data(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    data = Numbers()
    assert without_autotuning(data) is data
