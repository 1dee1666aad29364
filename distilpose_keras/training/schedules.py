"""Learning rates over the steps of a training."""

import keras
import numpy as np
from keras import ops

# Published configuration: linear warm-up of 500 steps from a thousandth of the rate,
# then a tenth at epoch 200 and again at epoch 260 of 300.
WARMUP_STEPS = 500
WARMUP_RATIO = 1e-3
DECAY_FACTOR = 0.1
DECAY_FRACTIONS = (200 / 300, 260 / 300)


class _Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Raises the rate linearly, then follows `decay`."""

    def __init__(self, learning_rate, warmup_steps, warmup_ratio):
        if learning_rate <= 0 or warmup_steps < 0:
            raise ValueError(
                "learning_rate must be above 0 and warmup_steps not negative. "
                f"Received: {learning_rate} and {warmup_steps}"
            )
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.warmup_ratio = warmup_ratio

    def __call__(self, step):
        """Return the rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        # No warm-up divides by 1, not 0: every step is then past it.
        done = ops.minimum(step / max(self.warmup_steps, 1), 1.0)
        done = done if self.warmup_steps else ops.ones_like(done)
        ramp = self.warmup_ratio + (1 - self.warmup_ratio) * done
        return self.learning_rate * ramp * self.decay(step)

    def decay(self, step):
        """Return what the rate is multiplied by at a float32 step."""
        raise NotImplementedError

    def get_config(self):
        """Return the arguments."""
        return {
            "learning_rate": self.learning_rate,
            "warmup_steps": self.warmup_steps,
            "warmup_ratio": self.warmup_ratio,
        }


@keras.saving.register_keras_serializable("distilpose_keras")
class WarmupStep(_Warmup):
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
        learning_rate,
        milestones,
        factor=DECAY_FACTOR,
        warmup_steps=WARMUP_STEPS,
        warmup_ratio=WARMUP_RATIO,
    ):
        """See the class."""
        super().__init__(learning_rate, warmup_steps, warmup_ratio)
        self.milestones = [int(step) for step in milestones]
        self.factor = factor

    def decay(self, step):
        """Return ``factor`` to the number of milestones reached."""
        scale = ops.ones_like(step)
        for milestone in self.milestones:
            scale = ops.where(step >= milestone, scale * self.factor, scale)
        return scale

    def get_config(self):
        """Return the arguments."""
        config = super().get_config()
        return {**config, "milestones": self.milestones, "factor": self.factor}


@keras.saving.register_keras_serializable("distilpose_keras")
class WarmupCosine(_Warmup):
    """Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter, 2017).

    Args:
        learning_rate: the rate after the warm-up.
        total_steps: steps of the whole training, the warm-up included.
        warmup_steps: steps until the full rate.
        warmup_ratio: of the full rate, at step 0.
    """

    def __init__(
        self,
        learning_rate,
        total_steps,
        warmup_steps=WARMUP_STEPS,
        warmup_ratio=WARMUP_RATIO,
    ):
        """See the class."""
        super().__init__(learning_rate, warmup_steps, warmup_ratio)
        self.total_steps = total_steps

    def decay(self, step):
        """Return 1 at the end of the warm-up and 0 at the last step."""
        span = max(self.total_steps - self.warmup_steps, 1)
        done = ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
        return 0.5 * (1 + ops.cos(np.pi * done))

    def get_config(self):
        """Return the arguments."""
        return {**super().get_config(), "total_steps": self.total_steps}


def step_schedule(learning_rate, *, epochs, steps_per_epoch, warmup_steps=WARMUP_STEPS):
    """Return the paper's schedule, with its drops at the same share of the training.

    Args:
        learning_rate: 1e-3 in the paper, for 512 samples a step.
        epochs: of the training; 300 in the paper, with drops at 200 and 260.
        steps_per_epoch: batches in an epoch.
        warmup_steps: at most a tenth of the training is warmed up.
    """
    milestones = [round(f * epochs) * steps_per_epoch for f in DECAY_FRACTIONS]
    warmup_steps = _at_most_a_tenth(warmup_steps, epochs * steps_per_epoch)
    return WarmupStep(learning_rate, milestones, warmup_steps=warmup_steps)


def cosine_schedule(
    learning_rate, *, epochs, steps_per_epoch, warmup_steps=WARMUP_STEPS
):
    """Return warm-up and cosine over a training; arguments as of `step_schedule`."""
    total = epochs * steps_per_epoch
    warmup_steps = _at_most_a_tenth(warmup_steps, total)
    return WarmupCosine(learning_rate, total, warmup_steps=warmup_steps)


def _at_most_a_tenth(warmup_steps, total_steps):
    return min(warmup_steps, total_steps // 10)
