"""PRTR (Li et al., CVPR 2021): a transformer whose queries are matched to joints.

The two-stage variant, on crops. Not in Table 1 of DistilPose. The repository's AP on
COCO val, boxes by DETR: ResNet-50 at 384x288 68.2, at 512x384 71.0, ResNet-101 70.1 and
72.0, HRNet-W32 73.1 and 73.3; nothing is published at 256x192. A model has no size in
its weights. Legend: B images, K joints, D channels, Q queries, L decoder layers.

    image (B, H, W, 3) -> features (B, H / 32, W / 32, C) -> encoder -> memory (B, N, D)
    Q learned queries -> L decoder layers -> of each query a class, K joints or nothing,
    and a point -> each joint a query of its own: keypoints (B, K, 2), scores (B, K, 1)
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from distilpose_keras.assignment import linear_assignment
from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.losses.prtr import PRTRLoss
from distilpose_keras.models.backbones import HRNet, HRNetC, ResNet
from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.deformable import Table
from distilpose_keras.models.encoder import (
    KEYS,
    QUERIES,
    VALUES,
    Encoder,
    dropped,
    feed_forward,
    in_projection,
    linear,
    self_attention,
    split_in_projections,
)
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import (
    EPSILON,
    OUTPUT_DTYPE,
    PACKAGE,
    attend,
    layer_norm,
)
from distilpose_keras.models.published_names import renamed
from distilpose_keras.models.token_layers import AddPositions

CROSSING = "multihead_attn"
# Published names of the backbone: the model's own, and those that its loader rewrites.
BACKBONES = {"backbone.0.body.": "backbone.", "backbone.body.": "backbone."}
# Of a ResNet, and all its batch-norms: they keep their weights of ImageNet.
FROZEN = ("backbone-conv1", "backbone-layer1-")


@dataclass(frozen=True)
class PRTR(PoseConfig):
    """Settings of a PRTR.

    Attributes:
        backbone: what makes the feature map of stride 32.
        encoder: sizes of encoder and decoder layers.
        decoder_layers: L.
        queries: Q, at least as many as joints.
    """

    backbone: ResNet | HRNetC = ResNet()
    encoder: Encoder = Encoder(256, 2048, layers=6, heads=8, dropout=0.0)
    decoder_layers: int = 6
    queries: int = 100

    scores_from_labels = True
    codec = CoordinateCodec()

    def __post_init__(self):
        """Check that the sizes fit."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)
        if self.queries < self.num_keypoints or self.decoder_layers < 2:
            raise ValueError(
                f"a PRTR needs {self.num_keypoints} queries and 2 decoder layers or "
                f"more. Received: {self.queries} queries, {self.decoder_layers} layers"
            )

    @property
    def bgr(self):
        """The published ResNets were trained on pictures as OpenCV reads them."""
        return isinstance(self.backbone, ResNet)

    def build(self, images):
        """Return keypoints and scores, and what the loss needs.

        `logits` (B, L, Q, K + 1) and `points` (B, L, Q, 2), the last layer's last.
        """
        features = self.backbone(images)
        if isinstance(self.backbone, ResNet):
            _freeze(keras.Model(images, features))
        tokens = self._decode(*self._encode(features))
        # The heads are shared by all layers: first what inference reads.
        heads = self._heads()
        last = [head(tokens[-1]) for head in heads]  # (B, Q, K + 1), (B, Q, 2)
        early = ops.stack(tokens[:-1], axis=1)  # (B, L - 1, Q, D)
        of_all = [
            ops.concatenate([head(early), values[:, None]], axis=1)
            for head, values in zip(heads, last, strict=True)
        ]
        keypoints, scores = AssignQueries(name="assignment")(*last)
        return {
            "keypoints": keypoints,
            "scores": scores,
            "logits": of_all[0],
            "points": of_all[1],
        }

    def _encode(self, features):
        """Tokens (B, N, D) of a feature map, and the same with their places."""
        dim, grid = self.encoder.dim, tuple(features.shape[1:3])
        x = layers.Conv2D(dim, 1, name="input_proj")(features)
        x = ops.reshape(x, (-1, grid[0] * grid[1], dim))
        memory = self.encoder(x, grid, name="transformer-encoder")
        return memory, AddPositions(grid, name="transformer-positions")(memory)

    def _decode(self, memory, placed):
        """Tokens (B, Q, D) of every decoder layer."""
        places = Table(self.queries, self.encoder.dim, name="query_embed")(memory)
        x = ops.zeros_like(places)  # (1, Q, D): the same for all images at first
        tokens = []
        for i in range(self.decoder_layers):
            x = self._layer(
                x, places, memory, placed, f"transformer-decoder-layers-{i}"
            )
            tokens.append(x)
        return tokens

    def _layer(self, x, places, memory, placed, name):
        """One post-norm layer: self-attention, a look at the memory, an MLP."""
        heads, rate = self.encoder.heads, self.encoder.dropout
        y = self_attention(x, x + places, heads, name=f"{name}-self_attn", dropout=rate)
        x = layer_norm(x + dropped(y, rate), f"{name}-norm1")
        dim, crossing = self.encoder.dim, f"{name}-{CROSSING}"
        queries, keys, values = (
            in_projection(tokens, dim, f"{crossing}-{part}")
            for tokens, part in (
                (x + places, QUERIES),
                (placed, KEYS),
                (memory, VALUES),
            )
        )
        queries = queries * (dim // heads) ** -0.5
        y = attend(
            queries, keys, values, heads, name=f"{crossing}-softmax", dropout=rate
        )
        y = linear(y, dim, f"{crossing}-out_proj", bias="zeros")
        x = layer_norm(x + dropped(y, rate), f"{name}-norm2")
        names = (f"{name}-linear1", f"{name}-linear2")
        y = feed_forward(x, self.encoder.hidden, names, rate)
        return layer_norm(x + dropped(y, rate), f"{name}-norm3")

    def _heads(self):
        """Functions from tokens to class logits (..., K + 1) and points (..., 2)."""
        norm = layers.LayerNormalization(
            epsilon=EPSILON, name="transformer-decoder-norm"
        )
        classes = _linear(self.num_keypoints + 1, self.encoder.dim, "class_embed", True)
        widths = (self.encoder.dim, self.encoder.dim, 2)
        maps = [
            _linear(n, self.encoder.dim, f"kpt_embed-layers-{i}", i == 2)
            for i, n in enumerate(widths)
        ]
        normed = {}

        def once(tokens):
            """The norm of tokens that both heads read."""
            if id(tokens) not in normed:
                normed[id(tokens)] = norm(tokens)
            return normed[id(tokens)]

        def points(tokens):
            x = ops.relu(maps[1](ops.relu(maps[0](once(tokens)))))
            return ops.sigmoid(maps[2](x))

        return (lambda tokens: classes(once(tokens))), points

    def label_loss(self, model: Any):
        """Classes and distances after matching, of every decoder layer."""
        return PRTRLoss()

    def read_checkpoint(self, state):
        """Name the backbone as ours, and split the attention's matrices."""
        state = renamed(state, BACKBONES)
        return split_in_projections(state, crossing=(f".{CROSSING}",))


@keras.saving.register_keras_serializable(PACKAGE)
class AssignQueries(layers.Layer):
    """Gives each joint a query of its own: keypoints (B, K, 2), scores (B, K, 1).

    The sum of their probabilities, of the K joints alone, is the highest possible. In
    training, where nothing reads them, each joint just takes its likeliest query.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Make the layer."""
        super().__init__(**{"dtype": OUTPUT_DTYPE, **kwargs})

    def call(self, logits, points, training=None):
        """Return keypoints and scores.

        Args:
            logits: (B, Q, K + 1).
            points: (B, Q, 2).
            training: whether matching is left to the loss.
        """
        chances = ops.softmax(logits[..., :-1], axis=-1)  # (B, Q, K)
        chances = ops.transpose(chances, (0, 2, 1))  # (B, K, Q)
        if training:
            chosen = ops.cast(ops.argmax(chances, axis=-1), "int32")
        else:
            chosen = linear_assignment(-chances)
        queries = ops.arange(chances.shape[-1], dtype="int32")
        place = ops.cast(chosen[..., None] == queries, "float32")  # (B, K, Q)
        scores = ops.sum(place * chances, axis=-1, keepdims=True)
        return ops.matmul(place, points), scores

    def compute_output_shape(self, logits_shape, points_shape):
        """(B, K, 2) and (B, K, 1)."""
        joints = logits_shape[-1] - 1
        return (logits_shape[0], joints, 2), (logits_shape[0], joints, 1)


def _linear(units, inputs, name, last):
    """A linear map whose weights begin as PyTorch's do."""
    bound = inputs**-0.5
    return layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=name,
        dtype=OUTPUT_DTYPE if last else None,
    )


def _freeze(backbone):
    """Keep the first weights and all statistics of a ResNet, as published."""
    for layer in backbone.layers:
        norm = isinstance(layer, layers.BatchNormalization)
        if norm or layer.name.startswith(FROZEN):
            layer.trainable = False


def _models():
    """Each backbone at three sizes, with the README's parameters, GFLOPs and AP."""
    branches = HRNetC(HRNet(32, stages=4))
    found = {}
    for name, backbone, trainable, params, of_sizes in (
        ("resnet50", ResNet(), 41_282_836, 41.5, RESNET50),
        ("resnet101", ResNet(101), 60_222_740, 60.4, RESNET101),
        ("hrnet_w32", branches, 57_234_004, 57.2, HRNET_W32),
    ):
        for (height, width), (gmacs, gflops, ap) in of_sizes.items():
            config = PRTR(
                f"prtr_{name}_{height}x{width}", (height, width), backbone=backbone
            )
            found[config] = Figures(trainable, gmacs, params, gflops, ap)
    return found


# By input size: multiply-accumulates in 1e9, the README's GFLOPs and AP.
RESNET50 = {
    (256, 192): (5.3754, None, None),
    (384, 288): (10.978, 11.0, 68.2),
    (512, 384): (18.858, 18.8, 71.0),
}
RESNET101 = {
    (256, 192): (9.0118, None, None),
    (384, 288): (19.160, 19.1, 70.1),
    (512, 384): (33.404, 33.4, 72.0),
}
HRNET_W32 = {
    (256, 192): (10.109, None, None),
    (384, 288): (21.628, 21.6, 73.1),
    (512, 384): (37.792, 37.8, 73.3),
}
MODELS = _models()
