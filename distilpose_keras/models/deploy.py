"""The inference graph of a model, with everything constant computed beforehand.

`folding` holds the passes that serve every graph; a family adds what it alone can
leave out.
"""

from contextlib import contextmanager
from typing import Any

import keras

from distilpose_keras.models.deployed_tokens import NORMS_FOR_INTEGERS
from distilpose_keras.models.folding import Folding, model_config


def deploy(
    model: Any,
    batch_size: int | None = None,
    *,
    for_integers: bool = False,
) -> Any:
    """Return the inference graph of a model: same keypoints, fewer operations.

    Args:
        model: a `PoseModel`, whose heatmaps and other codes are decoded in the graph,
            as its codec does, or a `FinderModel`.
        batch_size: None for any, or the one batch size that the graph accepts.
        for_integers: normalise tokens three times, so that integers can. The epsilon
            of the norms then counts for less: tokens of a variance near it are larger.

    Returns:
        A functional `keras.Model` from `image` (B, H, W, 3), float32 RGB 0..255, to a
        dict of `keypoints` (B, K, 2) and `scores` (B, K, 1), equal to the model's,
        decoded, up to float32 rounding. Of a `FinderModel` these are `boxes` (B, N, 4)
        and `scores` (B, N), see `codecs.middles.graph_decode`.

    Raises:
        ValueError: if the model is not a `PoseModel`, or fake-quantized.
    """
    config = model_config(model)
    if config is None:
        raise ValueError(
            "only a PoseModel can be deployed. "
            f"Received: {getattr(model, 'name', model)!r}"
        )
    if hasattr(model, "deployed"):
        raise ValueError(
            f"{model.name} is fake-quantized: `export_quantized` writes its files, and "
            "`deployed` is its inference graph"
        )
    with _float32_policy():
        images = keras.Input(
            (*config.input_size, 3), batch_size=batch_size, name="image"
        )
        norms = NORMS_FOR_INTEGERS if for_integers else 1
        outputs = config.deploy(Folding(model, images, norms=norms))
        return keras.Model(images, outputs, name=config.name)


@contextmanager
def _float32_policy():
    """Build layers in float32, whatever precision is used for training."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
