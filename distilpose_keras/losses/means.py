"""How the losses reduce to one number: float32, a mean over samples."""

from keras import ops


def as_float32(*tensors):
    """Cast, so that small guards and means over many elements are exact."""
    return [ops.cast(tensor, "float32") for tensor in tensors]


def mean_of_means(values, sample_weight):
    """Mean over samples of the mean of each.

    Args:
        values: (B, ...) float32.
        sample_weight: optional (B,) factors of the samples' means.
    """
    return _mean(ops.mean(values, axis=_all_but_first(values)), sample_weight)


def mean_of_sums(values, sample_weight):
    """Mean over samples of the sum of each.

    Args:
        values: (B, ...) float32.
        sample_weight: optional (B,) factors of the samples' sums.
    """
    return _mean(ops.sum(values, axis=_all_but_first(values)), sample_weight)


def _all_but_first(values):
    return tuple(range(1, len(values.shape)))


def _mean(per_sample, sample_weight):
    if sample_weight is not None:
        per_sample = per_sample * ops.cast(sample_weight, "float32")
    return ops.mean(per_sample)
