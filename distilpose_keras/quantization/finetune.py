"""Fine-tuning of a fake-quantized student under its teacher."""

from typing import TYPE_CHECKING

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.quantization.student import check_distillable
from distilpose_keras.training.callbacks import StopOnNonFiniteLoss
from distilpose_keras.training.logs import shown_progress
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.schedules import warmup_cosine

if TYPE_CHECKING:
    import keras

    from distilpose_keras.models.model import PoseModel
    from distilpose_keras.quantization.student import QuantizedStudent

LEARNING_RATE = 1e-4
# The last part of the epochs trains on ranges that no longer move.
FROZEN_SHARE = 0.3


def finetune(
    student: "QuantizedStudent",
    teacher: "PoseModel",
    batches: "keras.utils.PyDataset",
    *,
    epochs: int,
    learning_rate: float = LEARNING_RATE,
    verbose: str | int = "auto",
) -> dict[str, list[float]]:
    """Fine-tune a fake-quantized student by the losses of its distillation.

    Args:
        student: a `QuantizedStudent`; it is trained in place.
        teacher: the heatmap `PoseModel` that it was distilled from.
        batches: `PoseDataset` of the training set.
        epochs: passes over it. In the last of them the ranges are frozen.
        learning_rate: peak of a cosine, a tenth of that of training from scratch.
        verbose: see `train`.

    Returns:
        dict of one value per epoch for the loss and each of its terms.

    Raises:
        ValueError: if student and teacher do not fit, or the loss is not finite.
    """
    distiller = Distiller(student=student, teacher=teacher)
    total = epochs * len(batches)
    rate = warmup_cosine(learning_rate, total, warmup_steps=total // 10)
    optimizer = make_optimizer(rate)
    frozen = round(FROZEN_SHARE * epochs)
    verbose, shown = shown_progress(verbose)
    history = {}
    for first, last in ((0, epochs - frozen), (epochs - frozen, epochs)):
        if first == epochs - frozen:
            student.freeze_ranges()
        distiller.compile(optimizer=optimizer, jit_compile=False)
        fitted = distiller.fit(
            batches,
            initial_epoch=first,
            epochs=last,
            callbacks=[StopOnNonFiniteLoss(), *shown],
            verbose=verbose,
        )
        for name, values in fitted.history.items():
            history.setdefault(name, []).extend(values)
    return history


def check_pair(student: "PoseModel", teacher: "PoseModel") -> None:
    """Raise a ValueError unless a teacher can teach a student; takes no time."""
    check_distillable(student)
    Distiller(student=student, teacher=teacher)
