"""The training step: any model on labels, and what a distillation builds on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from distilpose_keras.losses.labels import default_loss
from distilpose_keras.pixels import normalize_images
from distilpose_keras.training.epochs import telling_epochs
from distilpose_keras.training.even_batches import split_evenly
from distilpose_keras.training.own_parts import with_own_parts
from distilpose_keras.training.replicas import (
    check_accumulation,
    global_means,
    process_share,
    reducible,
    replica_count,
    replica_loss,
    synchronize_batch_norm,
    variable_scope,
)
from distilpose_keras.training.workarounds import (
    keep_freed_memory,
    without_autotuning,
    without_layout_copies,
)
from distilpose_keras.types import Tensor

if TYPE_CHECKING:
    from distilpose_keras.losses.labels import LabelLoss


@keras.saving.register_keras_serializable("distilpose_keras")
class PoseTrainer(keras.Model):
    """Trains a model on labels, by the loss of its family.

    Example:
        >>> trainer = PoseTrainer(build_model("hrnet_w32"))
        >>> trainer.compile(optimizer=keras.optimizers.Adam(1e-3))
        >>> trainer.fit(PoseDataset(people, batch_size=32), epochs=210)

    The loss is a sum of named terms; each becomes a metric. Only `compute_loss` of
    Keras is replaced, so that its `train_step` serves on every backend and under every
    distribution strategy. A subclass may add terms (`Distiller`).

    A batch is ``(images, targets)`` or ``(images, targets, sample_weight)``: images
    (B, H, W, 3), uint8 RGB or normalised float32; targets a dict of ``keypoints``
    (B, K, 2) in [0, 1] and ``weights`` (B, K, 1).

    Attributes:
        model: the model that is trained.
        label_loss: what it learns from labels, a `LabelLoss`.
    """

    def __init__(
        self,
        model: keras.Model,
        label_loss: "LabelLoss | None" = None,
        *,
        term_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Wrap a model.

        Args:
            model: functional keras.Model with named outputs, such as a `PoseModel`.
            label_loss: a `LabelLoss`; that of the model's family by default, and for a
                model of one's own the one that fits its outputs.
            term_names: names of the loss terms, where a subclass has others than the
                label loss.
            **kwargs: of keras.Model.

        Raises:
            ValueError: if the model's outputs fit no loss.
        """
        # The policy of the trained model: it decides whether float16 needs loss
        # scaling. The model casts its own inputs; the losses stay float32.
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.model = model
        self._has_own_loss = label_loss is not None
        self.label_loss = label_loss or label_loss_of(model)
        if scores_need_teacher(model):  # who converted or loaded it may know better
            model.metadata.setdefault("confidence", False)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.term_trackers = [
            keras.metrics.Mean(name=name)
            for name in term_names or self.label_loss.terms
        ]
        self.built = True
        if replica_count(self) > 1:
            synchronize_batch_norm(model)

    def loss_terms(
        self,
        images: Tensor,
        targets: dict[str, Tensor],
        outputs: dict[str, Tensor],
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms of the loss of one batch.

        Args:
            images: (B, H, W, 3) normalised float32.
            targets: dict of the batch.
            outputs: what the model predicts.
            sample_weight: optional (B,).

        Returns:
            dict of name to float32 scalar, means over the batch.
        """
        del images
        return self.label_loss(outputs, targets, sample_weight)

    def prepare_images(self, images: Tensor) -> Tensor:
        """Normalise uint8 images; pass on those that are normalised."""
        if keras.backend.standardize_dtype(images.dtype) == "uint8":
            config = getattr(self.model, "pose_config", None)
            if config is None:
                return normalize_images(images)
            return normalize_images(
                images, config.image_mean, config.image_std, bgr=config.bgr
            )
        return ops.convert_to_tensor(images)

    def call(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Return the outputs of the model."""
        return self.model(self.prepare_images(images), training=training)

    def fit(
        self,
        x: Any = None,
        *args: Any,
        shuffle: bool = True,
        class_weight: Any = None,
        validation_data: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does.

        A `PyDataset` is read in its own order: ``shuffle`` is for arrays. Its batches
        are made to split evenly among replicas, each process reads its part of them,
        `without_autotuning`, and keeps memory that a step frees, see
        `keep_freed_memory`; PyTorch convolves `without_layout_copies`.
        """
        keep_freed_memory()
        without_layout_copies()
        # Keras would draw the order of the batches once more, by an unseeded generator.
        shuffle = shuffle and not isinstance(x, keras.utils.PyDataset)
        kwargs["callbacks"] = telling_epochs(self.label_loss, kwargs.get("callbacks"))
        return super().fit(
            self._batches_of(x, shuffle=shuffle, class_weight=class_weight),
            *args,
            shuffle=shuffle,
            class_weight=class_weight,
            validation_data=self._batches_of(validation_data),
            **kwargs,
        )

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the loss and its terms as `keras.Model.evaluate` does."""
        return super().evaluate(self._batches_of(x), *args, **kwargs)

    def _batches_of(self, data, **options):
        """What Keras is given in place of a data set."""
        batches = split_evenly(data, process_share(self))
        return without_autotuning(with_own_parts(batches, self, **options), **options)

    def train_step(self, *args: Any) -> Any:
        """Train on one batch as `keras.Model.train_step` does."""
        return reducible(self, super().train_step(*args))

    def test_step(self, *args: Any) -> Any:
        """Evaluate one batch as `keras.Model.test_step` does."""
        return reducible(self, super().test_step(*args))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configure the training as `keras.Model.compile` does.

        Raises:
            ValueError: for gradient accumulation under a TensorFlow strategy.
        """
        super().compile(*args, **kwargs)
        check_accumulation(self)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as it was saved: Keras does so only where `compile` is its own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:  # its state is loaded next
            self.optimizer.build(self.trainable_variables)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Create the optimizer's variables without a look at the first batch.

        Under a TensorFlow strategy Keras averages the first batch over the replicas,
        which fails if it is uneven or if they are in several processes.
        """
        if self._compile_metrics is not None:
            super()._maybe_symbolic_build(iterator, data_batch)
        elif self.optimizer is not None and not self.optimizer.built:
            with variable_scope(self):
                self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Sum the terms, and record each for the metrics.

        Under a TensorFlow strategy the metrics are those of the global batch, and
        the gradients summed over replicas are those of the global mean.
        """
        del training
        if isinstance(sample_weight, dict):
            # Keras repeats one weight per sample for each entry of the targets.
            sample_weight = sample_weight["keypoints"]
        terms = self.loss_terms(self.prepare_images(x), y, y_pred, sample_weight)
        penalties = [ops.cast(ops.sum(loss), "float32") for loss in self.losses]
        total = sum([*terms.values(), *penalties])
        samples = self._count_samples(x, y)
        means = ops.stack([total, *terms.values()])
        global_values, weight = global_means(means, samples)
        self.loss_tracker.update_state(global_values[0], sample_weight=weight)
        for i, tracker in enumerate(self.term_trackers, start=1):
            tracker.update_state(global_values[i], sample_weight=weight)
        return replica_loss(total, samples, global_values[0], weight)

    def _count_samples(self, images, targets):
        """Number of different samples; see `distilpose_keras.training.even_batches`."""
        if "repeats" in targets:
            return ops.sum(1 / ops.cast(targets["repeats"], "float32"))
        return ops.shape(images)[0]

    @property
    def metrics(self) -> list[Any]:
        """The loss, its terms, and the metrics given to `compile`.

        Keras' own loss tracker weights replicas by their local batch; ours does not.
        """
        extra = [self._compile_metrics] if self._compile_metrics is not None else []
        return [self.loss_tracker, *self.term_trackers, *extra]

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the trainer around its model."""
        serialize = keras.saving.serialize_keras_object
        config = {"name": self.name, "model": serialize(self.model)}
        if self._has_own_loss:
            config["label_loss"] = serialize(self.label_loss)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PoseTrainer":
        """Rebuild the trainer."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("model", "label_loss")
            if name in config
        }
        return cls(**{**config, **parts})


def scores_need_teacher(model: Any) -> bool:
    """Whether a model predicts scores that labels do not teach.

    ``metadata["confidence"]`` of such a model says whether they mean anything.
    """
    config = getattr(model, "pose_config", None)
    if config is None or config.scores_from_labels:
        return False
    return "scores" in model.output


def label_loss_of(model: Any) -> "LabelLoss":
    """Return the loss of a model's family, or the one that fits its outputs."""
    config = getattr(model, "pose_config", None)
    if config is not None:
        return config.label_loss(model)
    output_shapes(model)  # the outputs must be named
    return default_loss(model.output)


def output_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Return {name: shape without the batch} of a functional model's outputs."""
    outputs = model.output
    if not isinstance(outputs, dict):
        raise ValueError(
            f"{model.name!r} must return a dict of named outputs. "
            f"Received: {type(outputs).__name__}"
        )
    return {name: tuple(tensor.shape[1:]) for name, tensor in outputs.items()}
