"""From RGB values to what the backbones were trained on."""

from collections.abc import Sequence

import cv2
import numpy as np
from keras import ops

from distilpose_keras.types import Tensor

# ImageNet statistics of RGB in [0, 1], as the published backbones were trained with.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
# (1, 256, 3) normalised value of every grey level of each channel.
_NORMALIZED = np.float32(
    (np.arange(256)[None, :, None] / 255 - IMAGE_MEAN) / np.array(IMAGE_STD)
)


def normalize_uint8(images: np.ndarray) -> np.ndarray:
    """Normalise (B, H, W, 3) uint8 RGB images by ImageNet's statistics, in NumPy."""
    # A table is faster than arithmetic.
    rows = images.reshape(-1, *images.shape[2:])
    return cv2.LUT(rows, _NORMALIZED).reshape(images.shape)


def renormalize_images(images, source, target):
    """Bring images that were normalised for one model to what another expects.

    Args:
        images: (..., 3) normalised.
        source: arguments of `normalize_images` that they were made with: mean, standard
            deviation and whether the channels are BGR.
        target: those that they shall have.

    Returns:
        The images themselves where the two are equal, else a tensor like them.
    """
    if source == target:
        return images
    (mean, std, bgr), (new_mean, new_std, new_bgr) = source, target
    scale = np.array(std) / np.array(new_std)
    shift = (np.array(mean) - np.array(new_mean)) / np.array(new_std)
    if bgr != new_bgr:
        images = ops.flip(images, axis=-1)
        scale = np.array(std)[::-1] / np.array(new_std)
        shift = (np.array(mean)[::-1] - np.array(new_mean)) / np.array(new_std)
    scale, shift = (
        ops.cast(values.astype("float32"), images.dtype) for values in (scale, shift)
    )
    return images * scale + shift


def normalize_images(
    images: Tensor,
    mean: Sequence[float] = IMAGE_MEAN,
    std: Sequence[float] = IMAGE_STD,
    *,
    bgr: bool = False,
) -> Tensor:
    """Normalise RGB values in 0..255 (uint8 or float) as the backbones expect.

    Args:
        images: (..., 3) RGB.
        mean: of the channels in [0, 1], in the order that they have after `bgr`.
        std: of these.
        bgr: turn the channels round first.

    Returns:
        float32 tensor of the same shape.
    """
    if bgr:
        images = ops.flip(images, axis=-1)
    shift = np.array(mean, "float32") * 255
    scale = 1 / (np.array(std, "float32") * 255)
    return (ops.cast(images, "float32") - shift) * scale
