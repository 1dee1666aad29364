"""Adam as the published training uses it, and how it is put together."""

from typing import Any

import keras
from keras import ops

from distilpose_keras.training.replicas import all_replicas, sum_over_replicas
from distilpose_keras.types import Tensor

EMA_MOMENTUM = 0.9998  # as in YOLOX and RTMPose: averages about 5,000 steps

_KerasAdam = keras.optimizers.Adam
if keras.backend.backend() == "torch":
    # The class that Keras makes instances of there: it updates all variables at once.
    _KerasAdam = type(keras.optimizers.Adam())


@keras.saving.register_keras_serializable("distilpose_keras")
class Adam(_KerasAdam):
    """Adam with the epsilon of PyTorch, and the same under any number of replicas.

    PyTorch adds epsilon to the bias-corrected root of the second moment, Keras to the
    uncorrected one, which is 30 times more damping at the first step.

    Keras clips the gradients of each replica; this class clips their sum, so that
    replicas do not change the result. And where Keras overwrites the weights by their
    moving average whenever `fit` returns, this class leaves them alone: see
    `distilpose_keras.training.ema`.

    Args:
        learning_rate: float or schedule.
        epsilon: see ``torch.optim.Adam``.
        **kwargs: of ``keras.optimizers.Adam``.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        *,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        """Keep epsilon as PyTorch means it; see `epsilon`."""
        super().__init__(learning_rate, epsilon=epsilon, **kwargs)

    @property
    def epsilon(self):
        """What Keras must add to the uncorrected root for PyTorch's result."""
        step = ops.cast(self.iterations + 1, "float32")
        return self._torch_epsilon * ops.sqrt(1 - ops.power(self.beta_2, step))

    @epsilon.setter
    def epsilon(self, value):
        self._torch_epsilon = value

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "epsilon": self._torch_epsilon}

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Leave the weights as they are."""

    def _clip_gradients(self, grads):
        if not (self.clipnorm or self.global_clipnorm or self.clipvalue):
            return grads
        grads, replicas = sum_over_replicas(grads)
        grads = super()._clip_gradients(grads)
        # Keras goes on to sum over the replicas, which now hold the same.
        return grads if replicas == 1 else [g / replicas for g in grads]


@keras.saving.register_keras_serializable("distilpose_keras")
class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Loss scaling that skips a step on all replicas if it overflows on one."""

    def check_finite(self, grads: list[Tensor]) -> Tensor:
        """Return whether the gradients of every replica are finite."""
        return all_replicas(super().check_finite(grads))


def make_optimizer(
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    clip_norm: float | None = None,
    accumulation: int = 1,
    ema_momentum: float | None = None,
    loss_scaling: bool = False,
) -> keras.optimizers.Optimizer:
    """Return Adam with what a training asks for.

    Args:
        learning_rate: float or schedule. A schedule counts updates, not batches.
        clip_norm: largest norm of all gradients together, or None.
        accumulation: batches whose gradients are averaged for one update.
        ema_momentum: of a moving average of the weights, or None for no average.
        loss_scaling: scale the loss dynamically, as float16 needs.
    """
    optimizer = Adam(
        learning_rate,
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=accumulation if accumulation > 1 else None,
        use_ema=ema_momentum is not None,
        **({} if ema_momentum is None else {"ema_momentum": ema_momentum}),
    )
    return LossScaleOptimizer(optimizer) if loss_scaling else optimizer
