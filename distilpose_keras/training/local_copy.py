"""A copy of a model in training, on one device and outside every strategy."""

from typing import Any

import keras

from distilpose_keras.training.strategies import outside_strategy


class OnLocalCopy(keras.callbacks.Callback):
    """Lets a callback see a copy of the trained model at the end of each epoch.

    Under a strategy a model runs on all its devices, in step with other processes,
    and takes only batches that split evenly. The copy runs on the first device of
    this process, whatever the others do, and in float32.

    Args:
        callback: callback that only uses ``on_epoch_end``, such as `PoseEvaluation`.
        pose_model: what is copied, such as ``distiller.model``; of a class that
            its ``get_config`` rebuilds.
    """

    def __init__(
        self, callback: keras.callbacks.Callback, pose_model: keras.Model
    ) -> None:
        """Copy nothing yet: the callback may need no model before its first epoch."""
        super().__init__()
        self.callback = callback
        self.pose_model = pose_model
        self.copy = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Pass on."""
        super().set_params(params)
        self.callback.set_params(params)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Bring the copy up to date and pass on."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        outside_strategy(self._pass_on, self.pose_model.get_weights(), epoch, logs)

    def _pass_on(self, weights, epoch, logs):
        if self.copy is None:
            model = self.pose_model
            self.copy = type(model).from_config(model.get_config())
            self.callback.set_model(self.copy)
            self.callback.on_train_begin()
        self.copy.set_weights(weights)
        self.callback.on_epoch_end(epoch, logs)
