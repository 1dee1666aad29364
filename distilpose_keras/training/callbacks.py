"""Callbacks of a training: a finite loss, checkpoints, averages and the best model."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from distilpose_keras.files import atomic_path
from distilpose_keras.training.ema import averaged_weights
from distilpose_keras.training.resume import Position, save_checkpoint
from distilpose_keras.types import FilePath

CHECK_EVERY = 20  # steps between looks at the loss: each makes the host wait


class NonFiniteLoss(ValueError):
    """The loss of a training is infinite or not a number."""


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Stops a training by an exception once its loss is no longer finite.

    The metrics are means since the start of the epoch: they stay non-finite, so it is
    enough to look every few steps, at the end of the epoch and before a checkpoint.

    Args:
        checkpoint_folder: named in the message, as what remains usable.
    """

    def __init__(self, checkpoint_folder: FilePath | None = None) -> None:
        """Count epochs from the first."""
        super().__init__()
        self.checkpoint_folder = checkpoint_folder
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch for the message."""
        self.epoch = epoch

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Look at the loss, every few steps."""
        if batch % CHECK_EVERY == 0:
            self.check(logs, f"at step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss of the epoch."""
        self.check(logs, "at its end")

    def check(self, logs: dict[str, Any] | None, when: str) -> None:
        """Raise `NonFiniteLoss` if a figure is not finite.

        Args:
            logs: dict of figures; those of a validation are not looked at.
            when: for the message.
        """
        bad = {
            name: float(value)
            for name, value in (logs or {}).items()
            if not name.startswith("val_") and not np.isfinite(float(value))
        }
        if not bad:
            return
        terms = [name for name in bad if name != "loss"] or ["loss"]
        kept = ""
        if self.checkpoint_folder is not None:
            kept = f"; the last good checkpoint is in {self.checkpoint_folder}"
        raise NonFiniteLoss(
            f"the loss is not finite in epoch {self.epoch + 1} {when}: "
            + ", ".join(f"{term} is {bad[term]}" for term in terms)
            + kept
        )


class TrainingCheckpoint(keras.callbacks.Callback):
    """Writes a checkpoint after every epoch and, if asked, every few steps.

    Args:
        folder: where to write.
        every_steps: batches between checkpoints within an epoch, or None.
        batches_per_epoch: length of the data set.
        start: `Position` that the training starts from.
        stop_on_non_finite: `StopOnNonFiniteLoss` that is asked before each checkpoint.
        remembered: callbacks with `get_state`, whose state is part of a checkpoint.
    """

    def __init__(
        self,
        folder: FilePath,
        *,
        every_steps: int | None,
        batches_per_epoch: int,
        start: Position,
        stop_on_non_finite: StopOnNonFiniteLoss,
        remembered: Sequence[Any] = (),
    ) -> None:
        """Go on counting steps where the training starts from."""
        super().__init__()
        self.folder = folder
        self.every_steps = every_steps
        self.batches_per_epoch = batches_per_epoch
        self.stop_on_non_finite = stop_on_non_finite
        self.remembered = remembered
        self.epoch = start.epoch
        self.offset = start.batch
        self.saved_step = start.step

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count batches from the start of the epoch again, but for a resumed one."""
        if epoch != self.epoch:
            self.epoch, self.offset = epoch, 0

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Write a checkpoint if it is time for one and the epoch is not over."""
        if self.every_steps is None:
            return
        done = self.offset + batch + 1
        step = self.epoch * self.batches_per_epoch + done
        due = step - self.saved_step >= self.every_steps
        if due and done < self.batches_per_epoch:
            self.stop_on_non_finite.check(logs, f"at step {batch + 1}")
            self._save(self.epoch, done, step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write a checkpoint of the finished epoch."""
        self._save(epoch + 1, 0, (epoch + 1) * self.batches_per_epoch)

    def _save(self, epoch, batch, step):
        state = {type(c).__name__: c.get_state() for c in self.remembered}
        position = Position(epoch, batch, step, self.batches_per_epoch, state)
        save_checkpoint(self.folder, self.model, position)
        self.saved_step = step


class BestModel(keras.callbacks.Callback):
    """Saves the trained model whenever a figure is the best so far.

    Epochs without the figure are passed over.

    Args:
        path: ``.keras`` file.
        pose_model: what is saved, such as ``distiller.model``.
        monitor: name of the figure in the logs of an epoch; larger is better.
    """

    def __init__(self, path: FilePath, pose_model: keras.Model, monitor: str) -> None:
        """Know no best value yet."""
        super().__init__()
        self.path = path
        self.pose_model = pose_model
        self.monitor = monitor
        self.best = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save if this epoch is the best."""
        value = (logs or {}).get(self.monitor)
        if value is None or (self.best is not None and value <= self.best):
            return
        self.best = float(value)
        with atomic_path(self.path) as temporary:
            self.pose_model.save(temporary)

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed training must know."""
        return {"best": self.best}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up what `get_state` returned."""
        self.best = state["best"]


class AveragesBegin(keras.callbacks.Callback):
    """Shows the averaged weights to the validation and to the callbacks after it.

    `AveragesEnd` at the end of the list brings the trained weights back.

    `keras.callbacks.SwapEMAWeights` (Keras 3.15) cannot stand here: it brings them back
    when the next epoch begins, after the checkpoint of this one, and gives them up at
    the last epoch, from which a resumed training would go on. On TensorFlow it swaps by
    sums and differences, which round: 86 of 150 weights came back changed.
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self.block = None

    def enter(self) -> None:
        """Put the averages in place."""
        self.block = averaged_weights(self.model)
        self.block.__enter__()

    def leave(self) -> None:
        """Bring the trained weights back."""
        self.block.__exit__(None, None, None)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate the averages."""
        self.enter()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go on with the trained weights."""
        self.leave()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Let the following callbacks see the averages."""
        self.enter()


class AveragesEnd(keras.callbacks.Callback):
    """Ends what `AveragesBegin` began.

    Args:
        begin: the `AveragesBegin` of the same list.
    """

    def __init__(self, begin: AveragesBegin) -> None:
        """Know whose block to end."""
        super().__init__()
        self.begin = begin

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Go on with the trained weights."""
        self.begin.leave()


class StartEpoch(keras.callbacks.Callback):
    """Ties a data set to the epochs of `fit`, and takes up a resumed epoch's metrics.

    Args:
        dataset: data set with `set_epoch`, or any other.
        metric_values: values of the metric variables at the start of the first epoch,
            or None.
    """

    def __init__(
        self,
        dataset: keras.utils.PyDataset,
        metric_values: list[np.ndarray] | None = None,
    ) -> None:
        """Wait for the first epoch."""
        super().__init__()
        self.dataset = dataset
        self.metric_values = metric_values

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the epoch before its first batch is asked for."""
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)
        if self.metric_values is not None:
            variables = self.model.metrics_variables
            for variable, value in zip(variables, self.metric_values, strict=True):
                variable.assign(value)
            self.metric_values = None
