"""From RGB values to what the backbones were trained on."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from distilpose_keras.types import Tensor

# ImageNet statistics of RGB in [0, 1], as the published backbones were trained with.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def normalize_images(
    images: Tensor, mean: Sequence[float] = IMAGE_MEAN, std: Sequence[float] = IMAGE_STD
) -> Tensor:
    """Normalise RGB values in 0..255 (uint8 or float) as the backbones expect.

    Args:
        images: (..., 3).
        mean: of RGB in [0, 1].
        std: of RGB in [0, 1].

    Returns:
        float32 tensor of the same shape.
    """
    shift = np.array(mean, "float32") * 255
    scale = 1 / (np.array(std, "float32") * 255)
    return (ops.cast(images, "float32") - shift) * scale
