"""What operators of a graph are, and in which precision each is computed."""

import re
from dataclasses import dataclass

FLOAT = "float32"
DYNAMIC = "int8 dynamic"  # int8 weights; activations quantized as they come
INT8 = "int8"
DECODING = "decode"  # name of the layer that decodes
INT16 = "int16"  # of activations; the weights are int8


@dataclass(frozen=True)
class Operator:
    """An operator of a TFLite or ONNX graph.

    Attributes:
        name: name of its output tensor, unique in the graph.
        kind: the format's name of the operation.
        rank: axes of its output; feature maps have 4.
        weighted: whether its second input is constant, as of a convolution.
        origin: name that tells the Keras layer it comes from, if another one.
    """

    name: str
    kind: str
    rank: int
    weighted: bool
    origin: str = ""

    @property
    def decodes(self) -> bool:
        """Whether it is part of the decoding, whose constants are no weights."""
        return f"/{DECODING}/" in f"/{self.name}/"

    @property
    def label(self) -> str:
        """The Keras layer it comes from, where its name tells.

        ``model/operation;model/layer_1/operation`` -> ``layer``; where no part names
        a layer, the operation of the first.
        """
        parts = [part.split("/") for part in re.split("[;:]", self.origin or self.name)]
        layers = [path[1] for path in parts if len(path) > 2]
        return re.sub(r"_\d+$", "", layers[0]) if layers else parts[0][-1]
