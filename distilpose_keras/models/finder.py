"""The person finder: where people are in a picture, by their middles.

Every cell of a map at stride 8 says whether the middle of a person is near, and how far
that person's four sides are: see `codecs.middles`. The trunk is that of
`backbones.movenet`; two blocks at stride 32 let it see people who fill the picture.

Legend: (B, H, W, 3) images; h = H / 8, w = W / 8.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from distilpose_keras.codecs.middles import graph_decode
from distilpose_keras.models.backbones import lite, movenet
from distilpose_keras.models.layers import (
    OUTPUT_DTYPE,
    PACKAGE,
    batch_norm,
    conv_initializer,
)
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD
from distilpose_keras.safety import check_keras
from distilpose_keras.types import FilePath, Tensor

if TYPE_CHECKING:
    from distilpose_keras.models.folding import Folding

# Blocks at stride 32: channels and expansion of each.
DEEP = ((128, 3), (128, 2))
PRIOR = 0.01  # share of cells near a middle, which an untrained head says
# Stages of a trunk, and which of them are the maps of strides 8 and 16.
TRUNKS = {
    "lite": (lite.STAGES, {8: 3, 16: 5}),
    "mobilenetv2": (movenet.STAGES[:5], {8: 3, 16: 5}),
}
FIRST_SIDE = 4.0  # cells from the middle to a side, of an untrained head


@dataclass(frozen=True)
class FinderConfig:
    """What determines the graph.

    Attributes:
        name: of the model.
        input_size: (height, width) of a picture, multiples of 32.
        width: channels of the way back up to stride 8.
        depth: separable convolutions of the head.
        trunk: ``"mobilenetv2"``, or ``"lite"`` as the first finders have it.
    """

    name: str = "person_finder"
    input_size: tuple[int, int] = (256, 352)
    width: int = 64
    depth: int = 2
    trunk: str = "lite"

    # Of all finders: what `deploy` asks of every model.
    bgr: ClassVar[bool] = False
    image_mean: ClassVar[tuple[float, ...]] = IMAGE_MEAN
    image_std: ClassVar[tuple[float, ...]] = IMAGE_STD
    codec: ClassVar[None] = None  # of keypoints

    def __post_init__(self):
        """Check the size of the input."""
        object.__setattr__(self, "input_size", tuple(self.input_size))
        if len(self.input_size) != 2 or any(s < 32 or s % 32 for s in self.input_size):
            raise ValueError(
                "input_size must be (height, width), multiples of 32. "
                f"Received: {self.input_size}"
            )
        if self.trunk not in TRUNKS:
            raise ValueError(
                f"trunk must be one of {', '.join(TRUNKS)}. Received: {self.trunk!r}"
            )

    def build(self, images: Tensor) -> dict[str, Tensor]:
        """Map (B, H, W, 3) to `middles` (B, h, w, 1) logits and `sides` (B, h, w, 4).

        The sides are logarithms of cells.
        """
        taps = lite.trunk(images, *TRUNKS[self.trunk])
        x = taps[16]
        for block, (width, expansion) in enumerate(DEEP):
            x = lite.inverted_residual(
                x,
                width,
                expansion=expansion,
                strides=2 if block == 0 else 1,
                kernel=5,
                name=f"finder-deep{block}",
            )
        x = _linear_bn(x, self.width, name="finder-top")
        for stride in (16, 8):
            fine = _linear_bn(taps[stride], self.width, name=f"finder-fine{stride}")
            coarse = ops.image.resize(x, fine.shape[1:3], interpolation="nearest")
            x = _separable(ops.relu(coarse + fine), self.width, f"finder-up{stride}")
        for block in range(self.depth):
            x = _separable(x, self.width, f"finder-head{block}")
        middles = _output(x, 1, np.log(PRIOR / (1 - PRIOR)), "finder-middles")
        sides = _output(x, 4, np.log(FIRST_SIDE), "finder-sides")
        return {"middles": middles, "sides": sides}

    def deploy(self, folding: "Folding") -> dict[str, Tensor]:
        """Build the inference graph: boxes and scores."""
        return graph_decode(folding.outputs(("middles", "sides")))


def _linear_bn(x, width, *, name):
    """A 1x1 convolution and batch-norm."""
    x = layers.Conv2D(
        width, 1, use_bias=False, kernel_initializer=conv_initializer(), name=name
    )(x)
    return batch_norm(x, f"{name}-bn")


def _separable(x, width, name):
    """A 5x5 convolution of each channel, then of all at a point, with ReLU."""
    x = layers.DepthwiseConv2D(
        5, padding="same", use_bias=False, name=f"{name}-depthwise"
    )(x)
    x = batch_norm(x, f"{name}-depthwise-bn")
    return ops.relu(_linear_bn(x, width, name=name))


def _output(x, width, bias, name):
    """A linear map that says ``bias`` at first."""
    return layers.Conv2D(
        width,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(float(bias)),
        dtype=OUTPUT_DTYPE,
        name=name,
    )(x)


@keras.saving.register_keras_serializable(PACKAGE)
class FinderModel(keras.Model):
    """A functional Keras model that finds people, and what is known about it.

    The input is a picture (B, H, W, 3), RGB normalised by ImageNet's statistics.

    Attributes:
        finder_config: the `FinderConfig` that determines the graph.
        metadata: dict of JSON values saved with the model.
    """

    def __init__(
        self, finder_config: FinderConfig, metadata: dict[str, Any] | None = None
    ) -> None:
        """Build the graph of a configuration."""
        images = keras.Input((*finder_config.input_size, 3), name="image")
        outputs = finder_config.build(images)
        super().__init__(inputs=images, outputs=outputs, name=finder_config.name)
        self.finder_config = finder_config
        self.metadata = dict(metadata or {})

    def get_config(self) -> dict[str, Any]:
        """Return the configuration and the metadata, as JSON values."""
        return json.loads(
            json.dumps(
                {
                    "finder_config": asdict(self.finder_config),
                    "metadata": self.metadata,
                }
            )
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FinderModel":
        """Build the model that `get_config` describes."""
        return cls(FinderConfig(**config["finder_config"]), config["metadata"])


def load_finder(path: FilePath) -> FinderModel:
    """Read a person finder from a ``.keras`` file, whichever backend wrote it.

    Raises:
        ValueError: one line, if the file is missing, damaged or of something else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    check_keras(path, f"{PACKAGE}>FinderModel", what="a person finder")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever a damaged archive makes Keras or h5py raise
        reason = str(error).strip().split("\n")[0][:200]
        raise ValueError(f"damaged model file: {path} ({reason})") from error
