"""Building models in a precision other than float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build the models inside the block with a dtype policy.

    Weights stay float32 in the mixed policies; losses are float32 in all of them.
    float16 needs loss scaling: `make_optimizer` has it, and `compile` adds it to any
    other optimizer.

    Example:
        >>> with precision("mixed_bfloat16"):
        ...     student = build_model("distilpose_s")

    Args:
        policy: one of `PRECISIONS`.

    Raises:
        ValueError: for another policy.
    """
    if policy not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}. Received: {policy!r}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
