"""No backbone: patches are cut from the image itself."""

from dataclasses import dataclass
from typing import ClassVar

from keras import layers


@dataclass(frozen=True)
class Pixels:
    """The image as a feature map."""

    stride: ClassVar[int] = 1
    divisor: ClassVar[int] = 1

    def __call__(self, images):
        """Return (B, H, W, 3) as it is."""
        # An operation, not the input itself: deployed graphs normalise what it reads.
        return layers.Identity(name="backbone-pixels")(images)
