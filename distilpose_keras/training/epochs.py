"""Losses that change from epoch to epoch."""

import keras


class TellEpoch(keras.callbacks.Callback):
    """Tells a loss how many epochs are finished, by its method `on_epoch_begin`."""

    def __init__(self, loss):
        """Say whom to tell."""
        super().__init__()
        self.loss = loss

    def on_epoch_begin(self, epoch, logs=None):
        """Tell the loss."""
        self.loss.on_epoch_begin(epoch)


def telling_epochs(loss, callbacks):
    """Return the callbacks of a training, one more where its loss wants the epoch.

    Args:
        loss: a `LabelLoss`.
        callbacks: what `keras.Model.fit` is given: None, one, a list or a
            `keras.callbacks.CallbackList`, which is extended.
    """
    if not hasattr(loss, "on_epoch_begin"):
        return callbacks
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(TellEpoch(loss))
        return callbacks
    return [TellEpoch(loss), *keras.tree.flatten(callbacks or [])]
