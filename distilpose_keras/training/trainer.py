"""What the training of a student and of a heatmap teacher have in common."""

import keras
from keras import ops

from distilpose_keras.pixels import normalize_images
from distilpose_keras.training.even_batches import split_evenly
from distilpose_keras.training.replicas import (
    check_accumulation,
    global_means,
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


class PoseTrainer(keras.Model):
    """Wraps a pose model for `fit`, with a loss that is a sum of named terms.

    A subclass says what its terms are; each becomes a metric. Only `compute_loss` is
    replaced, so that the `train_step` of Keras serves on every backend and under
    every distribution strategy.

    A batch is ``(images, targets)`` or ``(images, targets, sample_weight)``: images
    (B, H, W, 3), uint8 RGB or normalised float32; targets a dict of ``keypoints``
    (B, K, 2) in [0, 1] and ``weights`` (B, K, 1).

    Attributes:
        trained_model: the wrapped model.
    """

    def __init__(self, trained_model, term_names, **kwargs):
        """Wrap a model.

        Args:
            trained_model: the keras.Model whose weights are trained.
            term_names: names of the loss terms, in the order of the metrics.
            **kwargs: of keras.Model.
        """
        # The policy of the trained model: it decides whether float16 needs loss
        # scaling. The model casts its own inputs; the losses stay float32.
        kwargs.setdefault("dtype", trained_model.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.trained_model = trained_model
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.term_trackers = [keras.metrics.Mean(name=name) for name in term_names]
        self.built = True
        if replica_count(self) > 1:
            synchronize_batch_norm(trained_model)

    def loss_terms(self, images, targets, outputs, sample_weight=None):
        """Return the weighted terms of the loss of one batch.

        Args:
            images: (B, H, W, 3) normalised float32.
            targets: dict of the batch.
            outputs: what the trained model predicts.
            sample_weight: optional (B,).

        Returns:
            dict of name to float32 scalar, means over the batch.
        """
        raise NotImplementedError

    def prepare_images(self, images):
        """Normalise uint8 images; pass on those that are normalised."""
        if keras.backend.standardize_dtype(images.dtype) == "uint8":
            return normalize_images(images)
        return ops.convert_to_tensor(images)

    def call(self, images, training=None):
        """Return the outputs of the trained model."""
        return self.trained_model(self.prepare_images(images), training=training)

    def fit(
        self,
        x=None,
        *args,
        shuffle=True,
        class_weight=None,
        validation_data=None,
        **kwargs,
    ):
        """Train as `keras.Model.fit` does.

        The batches of a `PyDataset` are made to split evenly among replicas and read
        `without_autotuning`, the process keeps memory that a step frees, see
        `keep_freed_memory`, and PyTorch convolves `without_layout_copies`.
        """
        keep_freed_memory()
        without_layout_copies()
        return super().fit(
            self._batches_of(x, shuffle=shuffle, class_weight=class_weight),
            *args,
            shuffle=shuffle,
            class_weight=class_weight,
            validation_data=self._batches_of(validation_data),
            **kwargs,
        )

    def evaluate(self, x=None, *args, **kwargs):
        """Evaluate the loss and its terms as `keras.Model.evaluate` does."""
        return super().evaluate(self._batches_of(x), *args, **kwargs)

    def _batches_of(self, data, **options):
        """What Keras is given in place of a data set."""
        return without_autotuning(split_evenly(data, replica_count(self)), **options)

    def train_step(self, *args):
        """Train on one batch as `keras.Model.train_step` does."""
        return reducible(self, super().train_step(*args))

    def test_step(self, *args):
        """Evaluate one batch as `keras.Model.test_step` does."""
        return reducible(self, super().test_step(*args))

    def compile(self, *args, **kwargs):
        """Configure the training as `keras.Model.compile` does.

        Raises:
            ValueError: for gradient accumulation under a TensorFlow strategy.
        """
        super().compile(*args, **kwargs)
        check_accumulation(self)

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
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
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
    def metrics(self):
        """The loss, its terms, and the metrics given to `compile`.

        Keras' own loss tracker weights replicas by their local batch; ours does not.
        """
        extra = [self._compile_metrics] if self._compile_metrics is not None else []
        return [self.loss_tracker, *self.term_trackers, *extra]


def output_shapes(model):
    """Return {name: shape without the batch} of a functional model's outputs."""
    outputs = model.output
    if not isinstance(outputs, dict):
        raise ValueError(
            f"{model.name!r} must return a dict of named outputs. "
            f"Received: {type(outputs).__name__}"
        )
    return {name: tuple(tensor.shape[1:]) for name, tensor in outputs.items()}
