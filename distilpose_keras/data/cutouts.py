"""Cheap changes of a crop's light and colour, and cut-outs: a few microseconds each."""

import cv2
import numpy as np

GREY = 127


class CutoutsAndLight:
    """Changes contrast, brightness and colour cast of every crop, and hides a part.

    Not part of the published recipes. Give it to `PoseDataset(appearance=...)`. A
    table of 256 values per channel does all three changes at once, where
    `AppearanceAugmentation` needs keras-cv, TensorFlow and many times as long.

    Args:
        contrast: largest change of the factor 1.
        brightness: largest shift, as a fraction of the range of values.
        cast: largest further change of each channel's factor.
        cutout: largest height and width of a grey rectangle, as fractions of the crop;
            joints under it stay targets.
        cutout_probability: of a rectangle at all.
    """

    def __init__(
        self,
        *,
        contrast=0.3,
        brightness=0.15,
        cast=0.1,
        cutout=0.35,
        cutout_probability=0.5,
    ):
        """Keep the limits."""
        self.contrast = contrast
        self.brightness = brightness
        self.cast = cast
        self.cutout = cutout
        self.cutout_probability = cutout_probability

    def __call__(self, images, seed):
        """Return changed copies of a batch.

        Args:
            images: (B, H, W, 3) uint8 RGB.
            seed: int or tuple of ints.

        Returns:
            (B, H, W, 3) uint8 RGB.
        """
        rng = np.random.default_rng(seed)
        changed = np.empty_like(images)
        for source, target in zip(images, changed, strict=True):
            cv2.LUT(source, self._table(rng), dst=target)
            self._cut_out(rng, target)
        return changed

    def _table(self, rng):
        """(1, 256, 3) new value of every value of each channel."""
        factor = 1 + rng.uniform(-self.contrast, self.contrast)
        factors = factor * (1 + rng.uniform(-self.cast, self.cast, 3))
        shift = 255 * rng.uniform(-self.brightness, self.brightness)
        values = (np.arange(256)[:, None] - GREY) * factors + GREY + shift
        return np.rint(values).clip(0, 255).astype(np.uint8)[None]

    def _cut_out(self, rng, image):
        """Paint a rectangle of an image grey, or none."""
        chance, *middle_and_sides = rng.random(5)
        if chance >= self.cutout_probability:
            return
        extent = np.array(image.shape[:2])
        middle = np.array(middle_and_sides[:2]) * extent
        half = np.array(middle_and_sides[2:]) * self.cutout * extent / 2
        top, left = np.maximum(np.rint(middle - half), 0).astype(int)
        bottom, right = np.rint(middle + half).astype(int)
        image[top:bottom, left:right] = GREY
