"""From RGB values to what the backbones were trained on."""

import numpy as np
from keras import ops

# ImageNet statistics of RGB in [0, 1], as the published backbones were trained with.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def renormalize_images(images, source, target):
    """Bring images that were normalised for one model to what another expects.

    Args:
        images: (..., 3) normalised RGB.
        source: mean and standard deviation of RGB in [0, 1] that they have.
        target: those that they shall have.

    Returns:
        The images themselves where the two are equal, else a tensor like them.
    """
    if source == target:
        return images
    (mean, std), (new_mean, new_std) = np.array(source), np.array(target)
    scale = (std / new_std).astype("float32")
    shift = ((mean - new_mean) / new_std).astype("float32")
    return images * ops.cast(scale, images.dtype) + ops.cast(shift, images.dtype)


def normalize_images(images, mean=IMAGE_MEAN, std=IMAGE_STD):
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
