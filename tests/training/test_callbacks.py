"""Callbacks on their own; in a whole training they are in `test_loop`."""

from types import SimpleNamespace

import numpy as np
import pytest

from distilpose_keras.training import callbacks
from distilpose_keras.training.callbacks import (
    BestModel,
    NonFiniteLoss,
    StartEpoch,
    StopOnNonFiniteLoss,
    TrainingCheckpoint,
)
from distilpose_keras.training.resume import Position


def test_the_terms_that_are_not_finite_are_named_with_what_remains():
    stop = StopOnNonFiniteLoss("runs/checkpoints")
    stop.on_epoch_begin(2)
    logs = {"loss": np.nan, "score": np.inf, "regression": 0.1, "val_loss": np.nan}
    message = (
        "^the loss is not finite in epoch 3 at its end: score is inf; "
        "the last good checkpoint is in runs/checkpoints$"
    )
    with pytest.raises(NonFiniteLoss, match=message):
        stop.on_epoch_end(2, logs)
    with pytest.raises(NonFiniteLoss, match="at step 21: loss is nan$"):
        StopOnNonFiniteLoss().on_train_batch_end(20, {"loss": np.nan})


def test_the_loss_is_looked_at_every_twenty_steps():
    looked = []

    class Figure(float):
        def __float__(self):
            looked.append(step)
            return 1.0

    stop = StopOnNonFiniteLoss()
    for step in range(45):
        stop.on_train_batch_end(step, {"loss": Figure()})
    assert sorted(set(looked)) == [0, 20, 40]
    stop.on_epoch_end(0, {"val_loss": np.nan})  # of no concern


@pytest.fixture
def written(monkeypatch):
    """Positions of the checkpoints that are written: (epoch, batch, step)."""
    found = []

    def save(folder, model, position):
        found.append((position.epoch, position.batch, position.step))
        found.append(position.callbacks)

    monkeypatch.setattr(callbacks, "save_checkpoint", save)
    return found


def run(epochs, start, every_steps, first_batches=5, remembered=()):
    callback = TrainingCheckpoint(
        "folder",
        every_steps=every_steps,
        batches_per_epoch=5,
        start=start,
        stop_on_non_finite=StopOnNonFiniteLoss(),
        remembered=remembered,
    )
    for epoch in epochs:
        callback.on_epoch_begin(epoch)
        for batch in range(first_batches if epoch == epochs[0] else 5):
            callback.on_train_batch_end(batch, {"loss": 1.0})
        callback.on_epoch_end(epoch)


@pytest.mark.parametrize(
    "every_steps, expected",
    [
        (None, [(1, 0, 5), (2, 0, 10)]),
        # At the end of an epoch its own checkpoint is due, and counting begins anew.
        (2, [(0, 2, 2), (0, 4, 4), (1, 0, 5), (1, 2, 7), (1, 4, 9), (2, 0, 10)]),
        (4, [(0, 4, 4), (1, 0, 5), (1, 4, 9), (2, 0, 10)]),
    ],
)
def test_checkpoints_come_every_few_steps_and_after_each_epoch(
    written, every_steps, expected
):
    run([0, 1], Position(), every_steps)
    assert written[::2] == expected


def test_a_resumed_epoch_goes_on_counting(written):
    # Two of five batches are done; `fit` counts the others from 0.
    run([3, 4], Position(3, 2, 17), 2, first_batches=3)
    assert written[::2] == [(3, 4, 19), (4, 0, 20), (4, 2, 22), (4, 4, 24), (5, 0, 25)]


def test_a_checkpoint_remembers_callbacks_and_refuses_a_broken_loss(written):
    best = SimpleNamespace(get_state=lambda: {"best": 0.5})
    run([0], Position(), None, remembered=[best])
    assert written == [(1, 0, 5), {"SimpleNamespace": {"best": 0.5}}]
    callback = TrainingCheckpoint(
        "folder",
        every_steps=1,
        batches_per_epoch=5,
        start=Position(),
        stop_on_non_finite=StopOnNonFiniteLoss(),
    )
    with pytest.raises(NonFiniteLoss, match="at step 2"):
        callback.on_train_batch_end(1, {"loss": np.nan})
    assert len(written) == 2


def test_the_model_is_saved_when_the_figure_is_the_best_so_far(tmp_path):
    path = tmp_path / "best.keras"
    saved = []
    model = SimpleNamespace(save=lambda target: target.write_text(str(epoch)))
    best = BestModel(path, model, "val_AP")
    for epoch, value in enumerate([None, 0.3, 0.3, 0.2, 0.4]):
        best.on_epoch_end(epoch, {} if value is None else {"val_AP": value})
        saved.append(path.read_text() if path.exists() else None)
    assert saved == [None, "1", "1", "1", "4"]
    again = BestModel(path, model, "val_AP")
    again.set_state(best.get_state())
    epoch = 9
    again.on_epoch_end(epoch, {"val_AP": 0.4})
    assert path.read_text() == "4"


def test_an_epoch_starts_with_its_own_data_and_a_resumed_one_with_its_metrics():
    epochs, assigned = [], []
    metric = SimpleNamespace(assign=assigned.append)
    start = StartEpoch(SimpleNamespace(set_epoch=epochs.append), metric_values=[7.0])
    start.set_model(SimpleNamespace(metrics_variables=[metric]))
    start.on_epoch_begin(3)
    start.on_epoch_begin(4)
    assert epochs == [3, 4]
    assert assigned == [7.0]  # in the first epoch alone
    StartEpoch(object()).on_epoch_begin(0)  # a data set without epochs
