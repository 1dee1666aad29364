"""A whole training: what it writes, how it goes on, when it stops."""

import keras
import numpy as np
import pytest
import tiny_pose

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.training.callbacks import NonFiniteLoss
from distilpose_keras.training.logs import read_csv_log
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.resume import checkpoint_files

TERMS = {"regression", "keypoint_token", "visual_token", "simulated_heatmap", "score"}


def compiled(**optimizer):
    student = tiny_pose.fill(tiny_pose.student(), 1)
    distiller = Distiller(
        student=student, teacher=tiny_pose.fill(tiny_pose.teacher(), 2)
    )
    distiller.compile(optimizer=make_optimizer(1e-2, **optimizer))
    return distiller


def run(trainer, folder, epochs=2, **kwargs):
    kwargs = {"verbose": 0, "tensorboard": False, **kwargs}
    dataset = kwargs.pop("dataset", None) or tiny_pose.Dataset(samples=10)
    return train(trainer, dataset, epochs=epochs, run_dir=folder, **kwargs)


class Figure(keras.callbacks.Callback):
    """Reports given values as val_AP."""

    def __init__(self, values):
        super().__init__()
        self.values = values
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(np.array(self.model.model.weights[0]))
        if self.values[epoch] is not None:
            logs["val_AP"] = self.values[epoch]


@pytest.mark.backend
@pytest.mark.parametrize("batches", [2, 5], ids=["epoch 1", "epoch 2"])
def test_an_interrupted_training_resumes_to_the_same_weights(tmp_path, batches):
    whole = compiled(ema_momentum=0.9)
    expected = run(whole, tmp_path / "whole", epochs=3)
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        stop = tiny_pose.Interrupt(batches)
        run(compiled(ema_momentum=0.9), broken, 3, callbacks=[stop], checkpoint_steps=1)
    resumed = compiled(ema_momentum=0.9)
    assert run(resumed, broken, epochs=3, resume=True) == expected
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_history_has_every_epoch_and_the_log_too(tmp_path):
    history = run(compiled(), tmp_path, callbacks=[Figure([0.25, None])])
    assert set(history) == {"loss", "val_AP", *TERMS}
    assert history["val_AP"] == [0.25, None]
    rows = read_csv_log(tmp_path / "log.csv")
    assert [row["epoch"] for row in rows] == [0, 1]
    assert [row["loss"] for row in rows] == history["loss"]


def test_a_finished_training_is_only_read(tmp_path):
    first = compiled(ema_momentum=0.9)
    history = run(first, tmp_path)
    second = compiled(ema_momentum=0.9)
    assert (
        run(second, tmp_path, resume=True, callbacks=[tiny_pose.Interrupt(1)])
        == history
    )
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_best_epoch_is_saved_also_after_a_resume(tmp_path):
    saved = []

    class Spy(Figure):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            path = tmp_path / "best.keras"
            saved.append(path.stat().st_mtime_ns if path.exists() else None)

    values = [0.5, 0.3, 0.4, 0.6]
    run(compiled(), tmp_path, epochs=2, callbacks=[Spy(values)])
    run(compiled(), tmp_path, epochs=4, callbacks=[Spy(values)], resume=True)
    before_each = saved[1:]
    assert before_each[0] == before_each[1] == before_each[2]  # 0.5 stays the best
    assert (tmp_path / "best.keras").stat().st_mtime_ns > before_each[2]
    keras.saving.load_model(tmp_path / "best.keras")


@pytest.mark.backend
def test_averages_are_shown_to_callbacks_and_left_in_the_model(tmp_path):
    figure = Figure([None, None])
    distiller = compiled(ema_momentum=0.9)
    trained = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: None,
        on_epoch_begin=lambda epoch, logs: trained.append(
            np.array(distiller.model.weights[0])
        ),
    )
    run(distiller, tmp_path, callbacks=[figure, look])
    average = distiller.optimizer._model_variables_moving_average[0]
    average = keras.ops.convert_to_numpy(average)
    np.testing.assert_array_equal(figure.seen[1], average)
    np.testing.assert_array_equal(distiller.model.weights[0], average)
    # The second epoch began with the trained weights, not with the averages.
    assert np.any(trained[1] != figure.seen[0])


class Poisoned(tiny_pose.Dataset):
    """Has a keypoint that is not a number in the first batch of its third epoch."""

    def __getitem__(self, index):
        images, targets = super().__getitem__(index)
        if self.epoch == 2 and index == 0:
            targets["keypoints"][0, 0, 0] = np.nan
        return images, targets


@pytest.mark.backend
def test_a_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"epoch 3 at step 1: regression is nan"):
        run(compiled(), tmp_path, epochs=4, dataset=Poisoned(samples=10))
    assert [p.name for p in checkpoint_files(tmp_path / "checkpoints")][0] == (
        "step-00000006.npz"
    )
    with np.load(checkpoint_files(tmp_path / "checkpoints")[0]) as arrays:
        assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_folder_with_a_training_is_not_overwritten(tmp_path):
    run(compiled(), tmp_path, epochs=1)
    with pytest.raises(ValueError, match="holds a training"):
        run(compiled(), tmp_path)


def test_a_data_set_of_another_length_is_refused(tmp_path):
    run(compiled(), tmp_path, epochs=1)
    with pytest.raises(ValueError, match="3 batches per epoch. Received: 5"):
        dataset = tiny_pose.Dataset(samples=20)
        run(compiled(), tmp_path, dataset=dataset, resume=True)


def test_a_trainer_without_an_optimizer_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be compiled"):
        run(Distiller(student=tiny_pose.student()), tmp_path)


class Stop(keras.callbacks.Callback):
    """Ends a training as early stopping does, and notes when it ended."""

    ended = 0

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.ended += 1


def test_a_callback_may_stop_the_training(tmp_path):
    stop = Stop()
    history = run(compiled(), tmp_path, epochs=5, callbacks=[stop])
    assert len(history["loss"]) == stop.ended == 1


def test_validation_data_is_evaluated_each_epoch(tmp_path):
    validation = tiny_pose.Dataset(samples=5, seed=3)
    history = run(compiled(ema_momentum=0.9), tmp_path, validation_data=validation)
    assert len(history["val_loss"]) == 2


def test_a_training_that_is_not_on_a_terminal_prints_one_line_per_epoch(
    tmp_path, capsys
):
    run(compiled(), tmp_path, verbose="auto", callbacks=[Figure([0.25, 0.5])])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "val_AP 0.5" in lines[1]
