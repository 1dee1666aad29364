"""COCO AP during `fit`."""

from typing import TYPE_CHECKING, Any

import keras

from distilpose_keras.evaluation import evaluate
from distilpose_keras.predictor import PosePredictor

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex


class PoseEvaluation(keras.callbacks.Callback):
    """Report `val_AP` during `fit`.

    Put it before callbacks that use the figure, such as a `ModelCheckpoint` or
    `CSVLogger`. Between evaluations `val_AP` is absent from the logs.

    Example:
        >>> distiller.fit(train, callbacks=[PoseEvaluation(val_people)])

    Attributes:
        results: list of dicts, `epoch` (from 1) and what `evaluate` returned.
    """

    def __init__(
        self,
        people: "PeopleIndex",
        *,
        every: int = 1,
        flip: bool = False,
        batch_size: int = 32,
        limit: int | None = None,
    ) -> None:
        """Say what to evaluate on, and how often.

        Args:
            people: ground truth, a `PeopleIndex`.
            every: epochs from one evaluation to the next; the last one always is.
            flip: see `evaluate`.
            batch_size: see `evaluate`.
            limit: see `evaluate`.
        """
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1. Received: {every}")
        self.every = every
        self.results: list[dict[str, Any]] = []
        self._people = people
        self._settings = {"flip": flip, "batch_size": batch_size, "limit": limit}
        self._predictor = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget the model of an earlier `fit`."""
        self._predictor = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluate the model that is being trained."""
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not last:
            return
        # `self.model` also brings the weights of a JAX training step up to date. It is
        # a trainer around the model, or the model itself (`OnLocalCopy`).
        model = getattr(self.model, "model", self.model)
        if self._predictor is None:
            self._predictor = PosePredictor(
                model, batch_size=self._settings["batch_size"]
            )
        result = evaluate(self._predictor, self._people, **self._settings)
        self.results.append({"epoch": epoch + 1, **result})
        if logs is not None:
            logs["val_AP"] = result["AP"]
