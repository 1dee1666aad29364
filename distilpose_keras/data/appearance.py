"""Optional changes of a crop's colours and cut-outs, by keras-cv."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


class AppearanceAugmentation:
    """Jitters colours and hides a rectangle of every crop of a batch.

    Not part of the published recipes. Give it to `PoseDataset(appearance=...)`. It
    needs the TensorFlow backend and ``pip install "distilpose-keras[augment]"``;
    keras-cv is imported when an object is made. What it draws for a crop depends on
    that crop's seed alone.

    Args:
        brightness: largest change, as a fraction of the range of values.
        contrast: largest change of the factor 1.
        saturation: largest change, in [0, 0.5); 0.5 would take all colour away.
        hue: largest turn of the colour circle, as a fraction of half a turn.
        cutout: largest height and width of the grey rectangle, as fractions of the
            crop; joints under it stay targets.

    Raises:
        ValueError: if Keras runs on another backend.
        ModuleNotFoundError: if keras-cv is not installed.
    """

    def __init__(
        self,
        *,
        brightness: float = 0.2,
        contrast: float = 0.3,
        saturation: float = 0.2,
        hue: float = 0.05,
        cutout: float = 0.3,
    ) -> None:
        """Make the keras-cv layers."""
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "appearance augmentation needs KERAS_BACKEND=tensorflow. "
                f"Received: {keras.backend.backend()}"
            )
        try:
            from keras_cv import layers
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "appearance augmentation needs keras-cv: "
                f'pip install "distilpose-keras[augment]" ({error})'
            ) from None
        values = (0, 255)
        self._limits = {
            "brightness": brightness,
            "contrast": contrast,
            "saturation": saturation,
            "hue": hue,
            "cutout": cutout,
        }
        self._brightness = layers.RandomBrightness(brightness, value_range=values)
        self._contrast = layers.RandomContrast(values, contrast)
        self._saturation = layers.RandomSaturation((0.5 - saturation, 0.5 + saturation))
        self._hue = layers.RandomHue(hue, values)
        self._cutout = layers.RandomCutout(cutout, cutout, fill_value=127.0)

    def __call__(self, images: np.ndarray, seeds: Sequence[Any]) -> np.ndarray:
        """Return changed copies of a batch.

        Args:
            images: (B, H, W, 3) uint8 RGB.
            seeds: B ints or tuples of ints, one for each image.

        Returns:
            (B, H, W, 3) uint8 RGB.
        """
        # The layers' own draws use global state; theirs are replaced by ours.
        _, height, width, _ = images.shape
        parts = zip(*(self._draw(seed, height, width) for seed in seeds), strict=True)
        shifts, contrasts, saturations, hues, *rectangles = map(np.array, parts)
        names = ("centers_x", "centers_y", "rectangles_height", "rectangles_width")
        with keras.device("cpu"):
            x = keras.ops.convert_to_tensor(images, "float32")
            x = self._brightness.augment_images(x, shifts[:, None, None, None])
            x = self._contrast.augment_images(x, contrasts[:, None, None, None])
            x = self._saturation.augment_images(x, saturations)
            x = self._hue.augment_images(x, hues)
            x = self._cutout.augment_images(
                x,
                {
                    name: keras.ops.convert_to_tensor(value, "int32")
                    for name, value in zip(names, rectangles, strict=True)
                },
            )
        values = keras.ops.convert_to_numpy(x)
        return np.rint(values).clip(0, 255).astype(np.uint8)

    def _draw(self, seed, height, width):
        """Return the changes of one image."""
        rng = np.random.default_rng(seed)

        def draw(name):
            return np.float32(rng.uniform(-self._limits[name], self._limits[name]))

        sides = self._limits["cutout"] * rng.random(2)
        return (
            draw("brightness") * 255,
            1 + draw("contrast"),
            np.float32(0.5) + draw("saturation"),
            draw("hue") * np.float32(0.5),
            rng.integers(0, width),
            rng.integers(0, height),
            np.ceil(sides[0] * height),
            np.ceil(sides[1] * width),
        )
