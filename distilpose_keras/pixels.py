"""From RGB values to what the backbones were trained on."""

import numpy as np
from keras import ops

# ImageNet statistics of RGB in [0, 1], as the published backbones were trained with.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def normalize_images(images, mean=IMAGE_MEAN, std=IMAGE_STD, *, bgr=False):
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
        images = images[..., ::-1]
    shift = np.array(mean, "float32") * 255
    scale = 1 / (np.array(std, "float32") * 255)
    return (ops.cast(images, "float32") - shift) * scale
