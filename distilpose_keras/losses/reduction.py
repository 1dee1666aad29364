"""How all losses become a number: in float32, as means over samples."""

from keras import ops

from distilpose_keras.types import Tensor


def float32(*tensors: Tensor) -> list[Tensor]:
    """Cast, so that the 1e-9 guard and the means over 52,000 pixels are exact."""
    return [ops.cast(tensor, "float32") for tensor in tensors]


def sample_mean(values: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Return the mean over all elements of ``values`` (B, ...), samples weighted."""
    if sample_weight is not None:
        per_sample = ops.mean(values, axis=tuple(range(1, len(values.shape))))
        values = per_sample * ops.cast(sample_weight, "float32")
    return ops.mean(values)
