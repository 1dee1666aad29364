"""Train a model to the end, however often the process is killed on the way."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from distilpose_keras.data.share import Share
from distilpose_keras.training.callbacks import (
    AveragesBegin,
    AveragesEnd,
    BestModel,
    StartEpoch,
    StopOnNonFiniteLoss,
    TrainingCheckpoint,
)
from distilpose_keras.training.ema import has_averages, swap_in_averages
from distilpose_keras.training.even_batches import part_of
from distilpose_keras.training.logs import CsvLog, TensorBoardLog, shown_progress
from distilpose_keras.training.replicas import is_chief, variable_scope
from distilpose_keras.training.resume import (
    Position,
    checkpoint_files,
    restore_checkpoint,
)
from distilpose_keras.types import FilePath

if TYPE_CHECKING:
    from distilpose_keras.training.trainer import PoseTrainer

CHECKPOINTS = "checkpoints"
LOG = "log.csv"
BEST = "best.keras"


def train(
    trainer: "PoseTrainer",
    dataset: keras.utils.PyDataset,
    *,
    epochs: int,
    run_dir: FilePath,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    validation_data: Any = None,
    checkpoint_steps: int | None = 1000,
    monitor: str = "val_AP",
    tensorboard: bool = True,
    verbose: str | int = "auto",
) -> dict[str, list[float | None]]:
    """Train with `fit`, write down what happens, and go on where a run was killed.

    The run folder receives ``checkpoints/`` (after every epoch and every
    ``checkpoint_steps`` batches), ``log.csv``, ``tensorboard/`` and, if a callback
    reports the monitored figure, ``best.keras``. A resumed run has the same order of
    batches, optimizer, schedule, averages and random state as one that was never
    killed.

    If the optimizer averages the weights, the averages are what the validation and
    the callbacks see, and what the model holds in the end.

    Example:
        >>> distiller.compile(optimizer=make_optimizer(1e-3))
        >>> train(distiller, batches, epochs=300, run_dir="run", resume=True)

    Args:
        trainer: compiled `PoseTrainer` or `Distiller`.
        dataset: `PoseDataset`, or any `keras.utils.PyDataset` whose batches follow
            from the epoch (given by `set_epoch`, if it has one) and the index.
        epochs: number of epochs in all.
        run_dir: folder of the run.
        resume: go on from the newest checkpoint in ``run_dir``, if there is one.
        callbacks: keras callbacks, such as `PoseEvaluation`.
        validation_data: see `fit`.
        checkpoint_steps: batches between checkpoints within an epoch, or None.
        monitor: figure whose best epoch is saved; larger is better.
        tensorboard: write TensorBoard events.
        verbose: see `fit`; ``"auto"`` shows a bar on a terminal and prints one line per
            epoch elsewhere.

    Returns:
        Dict of one value per epoch for each figure, epochs of earlier processes
        included; None where a figure was not taken.

    Raises:
        ValueError: if ``run_dir`` holds a training and ``resume`` is off, if its
            checkpoints do not fit the model, optimizer or data set, or if the loss is
            not finite (`NonFiniteLoss`).
    """
    run_dir = Path(run_dir)
    _check_folder(run_dir, resume)
    _build_optimizer(trainer)
    start = _start(trainer, run_dir, len(dataset)) if resume else Position()
    log = CsvLog(run_dir / LOG, start.epoch, write=is_chief(trainer))
    verbose, shown = shown_progress(verbose)
    if start.epoch < epochs:
        ours = _callbacks(
            trainer,
            dataset,
            run_dir,
            start,
            [*callbacks, log, *(shown if is_chief(trainer) else [])],
            checkpoint_steps=checkpoint_steps,
            monitor=monitor,
            tensorboard=tensorboard,
        )
        fit = {"validation_data": validation_data, "verbose": verbose}
        _fit(trainer, dataset, epochs, start, ours, **fit)
    if has_averages(trainer):
        swap_in_averages(trainer)
    return log.history


class RestOfEpoch(keras.utils.PyDataset):
    """What is left of an epoch from a batch on.

    Args:
        dataset: `keras.utils.PyDataset`.
        first: index of the first batch that is left.
    """

    def __init__(self, dataset: keras.utils.PyDataset, first: int) -> None:
        """Read with as many workers as the whole epoch is."""
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.first = first

    def __len__(self) -> int:
        """Return the number of batches left."""
        return len(self.dataset) - self.first

    def __getitem__(self, index: int) -> Any:
        """Return a batch."""
        return self.dataset[self.first + index]

    def part(self, index: int, share: Share) -> tuple[int, Any]:
        """Return the part of a batch that a process needs."""
        return part_of(self.dataset, self.first + index, share)


class _OneTraining(keras.callbacks.CallbackList):
    """Callbacks that see the calls of `fit` on either side of a resume as one."""

    begun = False

    def on_train_begin(self, logs=None):
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs=None):
        self.last_logs = logs

    def finish(self):
        super().on_train_end(self.last_logs)


def _fit(trainer, dataset, epochs, start, callbacks, *, validation_data, verbose):
    """Fit what is left of the current epoch, then the epochs after it."""
    whole = _OneTraining(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        model=trainer,
        verbose=verbose,
        epochs=epochs,
        steps=len(dataset) - start.batch,
    )
    # Keras would shuffle batches by the unseeded `random`; data sets do it themselves.
    fixed = {"validation_data": validation_data, "shuffle": False}
    first = start.epoch
    trainer.stop_training = False
    if start.batch:
        first += 1
        rest = RestOfEpoch(dataset, start.batch)
        trainer.fit(
            rest, callbacks=whole, initial_epoch=start.epoch, epochs=first, **fixed
        )
        whole.set_params({**whole.params, "steps": len(dataset)})
    if first < epochs and not trainer.stop_training:
        trainer.fit(
            dataset, callbacks=whole, initial_epoch=first, epochs=epochs, **fixed
        )
    whole.finish()


def _callbacks(
    trainer, dataset, run_dir, start, given, *, checkpoint_steps, monitor, tensorboard
):
    """Put the callbacks in the order that each relies on."""
    folder = run_dir / CHECKPOINTS
    finite = StopOnNonFiniteLoss(folder)
    begin = AveragesBegin()
    best = BestModel(run_dir / BEST, trainer.model, monitor)
    if best_state := start.callbacks.get(type(best).__name__):
        best.set_state(best_state)
    writers = [best]
    if tensorboard:
        writers.append(TensorBoardLog(run_dir / "tensorboard"))
    checkpoint = TrainingCheckpoint(
        folder,
        every_steps=checkpoint_steps,
        batches_per_epoch=len(dataset),
        start=start,
        stop_on_non_finite=finite,
        remembered=[best],
    )
    return [
        StartEpoch(dataset, _metric_values(trainer) if start.batch else None),
        finite,
        begin,
        *given,
        *(writers if is_chief(trainer) else []),
        AveragesEnd(begin),
        checkpoint,
    ]


def _start(trainer, run_dir, batches_per_epoch):
    """Restore the newest checkpoint, if any, and return its position."""
    position = restore_checkpoint(run_dir / CHECKPOINTS, trainer)
    if position is None:
        return Position()
    if position.batches_per_epoch != batches_per_epoch:
        raise ValueError(
            f"the run in {run_dir} was started with {position.batches_per_epoch} "
            f"batches per epoch. Received: {batches_per_epoch}"
        )
    return position


def _metric_values(trainer):
    """Copy the metrics of the epoch under way: `fit` resets them."""
    return [
        np.array(keras.ops.convert_to_numpy(variable))
        for variable in trainer.metrics_variables
    ]


def _check_folder(run_dir, resume):
    """Raise if a training would overwrite another one."""
    used = checkpoint_files(run_dir / CHECKPOINTS) or (run_dir / LOG).exists()
    if used and not resume:
        raise ValueError(
            f"the run folder {run_dir} holds a training; resume it or choose another"
        )


def _build_optimizer(trainer):
    """Create the optimizer's variables, so that a checkpoint can set them."""
    if not trainer.compiled or trainer.optimizer is None:
        raise ValueError("the trainer must be compiled with an optimizer")
    if not trainer.optimizer.built:
        with variable_scope(trainer):
            trainer.optimizer.build(trainer.trainable_variables)
