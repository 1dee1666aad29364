"""Learning rates over the steps of a training."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from distilpose_keras.types import Tensor

# Published configuration: linear warm-up of 500 steps from a thousandth of the rate,
# then a tenth at epoch 200 and again at epoch 260 of 300.
WARMUP_STEPS = 500
WARMUP_RATIO = 1e-3
DECAY_FACTOR = 0.1


@keras.saving.register_keras_serializable("distilpose_keras")
class WarmupStep(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then a constant rate that drops at given steps.

    Args:
        learning_rate: the rate after the warm-up.
        milestones: steps from which on the rate is multiplied by ``factor`` once more.
        factor: see ``milestones``.
        warmup_steps: steps until the full rate.
        warmup_ratio: of the full rate, at step 0.
    """

    def __init__(
        self,
        learning_rate: float,
        milestones: Iterable[int],
        factor: float = DECAY_FACTOR,
        warmup_steps: int = WARMUP_STEPS,
        warmup_ratio: float = WARMUP_RATIO,
    ) -> None:
        """Check the rate and the warm-up.

        Raises:
            ValueError: if the rate is not above 0 or the warm-up negative.
        """
        _check(learning_rate, warmup_steps)
        self.learning_rate = learning_rate
        self.milestones = [int(step) for step in milestones]
        self.factor = factor
        self.warmup_steps = warmup_steps
        self.warmup_ratio = warmup_ratio

    def __call__(self, step: Tensor) -> Tensor:
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        # No warm-up divides by 1, not 0: every step is then past it.
        done = ops.minimum(step / max(self.warmup_steps, 1), 1.0)
        done = done if self.warmup_steps else ops.ones_like(done)
        rate = self.learning_rate * (self.warmup_ratio + (1 - self.warmup_ratio) * done)
        for milestone in self.milestones:
            rate = ops.where(step >= milestone, rate * self.factor, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "learning_rate": self.learning_rate,
            "milestones": self.milestones,
            "factor": self.factor,
            "warmup_steps": self.warmup_steps,
            "warmup_ratio": self.warmup_ratio,
        }


def warmup_cosine(
    learning_rate: float,
    total_steps: int,
    warmup_steps: int = WARMUP_STEPS,
    warmup_ratio: float = WARMUP_RATIO,
) -> keras.optimizers.schedules.CosineDecay:
    """Return linear warm-up, then half a cosine down to zero.

    Args:
        learning_rate: the rate after the warm-up.
        total_steps: steps of the whole training, the warm-up included.
        warmup_steps: steps until the full rate.
        warmup_ratio: of the full rate, at step 0.

    Returns:
        ``keras.optimizers.schedules.CosineDecay``.
    """
    _check(learning_rate, warmup_steps)
    decay_steps = max(total_steps - warmup_steps, 1)
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps)
    return keras.optimizers.schedules.CosineDecay(
        warmup_ratio * learning_rate,
        decay_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )


@keras.saving.register_keras_serializable("distilpose_keras")
class WarmupCosine(keras.optimizers.schedules.CosineDecay):
    """What optimizers saved by version 0.1 call the schedule of `warmup_cosine`."""

    @classmethod
    def from_config(
        cls, config: dict[str, Any]
    ) -> keras.optimizers.schedules.CosineDecay:
        """Return the schedule that was saved."""
        return warmup_cosine(**config)


def _check(learning_rate, warmup_steps):
    if learning_rate <= 0 or warmup_steps < 0:
        raise ValueError(
            "learning_rate must be above 0 and warmup_steps not negative. "
            f"Received: {learning_rate} and {warmup_steps}"
        )
