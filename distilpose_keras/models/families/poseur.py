"""Poseur (Mao et al., ECCV 2022): coarse keypoints, refined by a deformable decoder.

Not in Table 1 of DistilPose. The paper: MobileNetV2 11.4 M parameters, 0.5 GFLOPs and
71.9 AP on COCO val, ResNet-50 33.3 M, 4.6 and 75.4, HRNet-W32 38.2 M, 7.4 and 76.9,
HRNet-W48 at 384x288 74.3 M, 33.6 and 78.8. In training, noisy copies of the coarse
keypoints are refined too; what the loss alone needs is in `losses.poseur`.
Legend: B images, K keypoints, D channels, N pixels of all maps, L decoder layers,
M groups of K queries (B, in training 4 B), Q queries of an image (K, in training 4 K).

    image (B, H, W, 3) -> four maps (B, h, w, D) at strides 4 to 32 -> memory (B, N, D)
    coarsest map -> feature (B, D) -> coarse keypoints (B, K, 2) -> queries (M, K, D)
    -> L times: self-attention, sampling of the memory around the keypoints, MLP, which
    moves them -> keypoints and sigmas (B, K, 2), scores (B, K, 1)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers, ops
from keras.initializers import RandomUniform

from distilpose_keras.codecs.weighed import WeighedCodec
from distilpose_keras.losses.poseur import PoseurLoss
from distilpose_keras.models.backbones import HRNet, MobileNetV2, ResNet
from distilpose_keras.models.config import PoseConfig, check_divisible
from distilpose_keras.models.deformable import (
    BySample,
    JoinLevels,
    NoisyCopies,
    SampleMemory,
    Table,
)
from distilpose_keras.models.encoder import (
    dropped,
    feed_forward,
    linear,
    self_attention,
    split_in_projections,
)
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.layers import (
    EPSILON,
    OUTPUT_DTYPE,
    layer_norm,
    merge_heads,
)
from distilpose_keras.models.published_names import as_mmpose_0, renamed

HEAD = "keypoint_head"
TRANSFORMER = f"{HEAD}-transformer"
CHANNELS_OF_GROUP = 8  # that the neck normalises together
POINTS = 4  # places of a head on each map
DROPOUT = 0.1
REACH = 1e-5  # published: how near to the crop's border logits go


@dataclass(frozen=True)
class Poseur(PoseConfig):
    """Settings of a Poseur.

    Attributes:
        backbone: what makes the four maps.
        dim: D, channels of maps and tokens.
        heads: of both attentions.
        hidden: channels inside the MLPs.
        decoder_layers: L.
        weighed: whether sigmas decide how much a mirrored crop counts, as published.
    """

    backbone: ResNet | HRNet | MobileNetV2 = MobileNetV2()
    dim: int = 256
    heads: int = 8
    hidden: int = 1024
    decoder_layers: int = 6
    weighed: bool = True

    scores_from_labels = True
    person_score = "sum"

    def __post_init__(self):
        """Check that the sizes fit."""
        self._check_input_size(self.backbone.divisor, self.backbone.divisor)
        check_divisible("dim", [self.dim] * 2, [self.heads, CHANNELS_OF_GROUP])
        stages = getattr(self.backbone, "stages", 4)
        if stages != 4 or self.decoder_layers < 2:
            raise ValueError(
                "a Poseur needs a backbone of four stages and at least 2 decoder "
                f"layers. Received: {stages} stages, {self.decoder_layers} layers"
            )

    @property
    def codec(self):
        """Coordinates, and what sigmas say of mirrored crops."""
        return WeighedCodec(weighed=self.weighed)

    def build(self, images):
        """Return keypoints, scores and sigmas, and what the loss needs."""
        maps = self._neck(self.backbone.pyramid(images))
        memory = JoinLevels(name=TRANSFORMER)(maps)
        feature = layers.GlobalAveragePooling2D(dtype=OUTPUT_DTYPE)(maps[-1])
        coarse = self._coarse(feature)
        start = NoisyCopies(name=f"{HEAD}-noisy_copies")(ops.stop_gradient(coarse))
        sizes = [tuple(x.shape[1:3]) for x in maps]
        tokens, references = self._decode(memory, start, sizes)
        keypoints, sigmas = self._predict(tokens[-1], references[-1])
        by_sample = [
            BySample(name=f"{HEAD}-by_sample-{i}")(x)
            for i, x in enumerate(
                (
                    ops.expand_dims(keypoints, 1),
                    ops.expand_dims(sigmas, 1),
                    ops.stack(tokens[:-1], axis=1),
                    ops.stack(references[:-1], axis=1),
                )
            )
        ]
        keypoints, sigmas = by_sample[0][:, 0], by_sample[1][:, 0]  # (B, Q, 2)
        of_people = {
            "keypoints": keypoints[:, : self.num_keypoints],
            "sigmas": sigmas[:, : self.num_keypoints],
        }
        mean = ops.mean(of_people["sigmas"], axis=-1, keepdims=True)
        return {
            **of_people,
            "scores": 1 - mean,
            "coarse_keypoints": coarse,
            "coarse_feature": feature,
            "decoder_keypoints": keypoints,
            "decoder_sigmas": sigmas,
            "decoder_tokens": by_sample[2],  # (B, L - 1, Q, D)
            "decoder_references": by_sample[3],  # (B, L - 1, Q, 2)
        }

    def _neck(self, maps):
        """Bring all maps to D channels, normalised in groups."""
        outputs = []
        for i, x in enumerate(maps):
            name = f"neck-convs-{i}"
            x = layers.Conv2D(self.dim, 1, use_bias=False, name=f"{name}-conv")(x)
            norm = layers.GroupNormalization(
                self.dim // CHANNELS_OF_GROUP, epsilon=EPSILON, name=f"{name}-gn"
            )
            outputs.append(norm(x))
        return outputs

    def _coarse(self, feature):
        """Keypoints (B, K, 2) of a (B, D) feature."""
        # Not divided by an epsilon more: the published code has none.
        norm = ops.sqrt(ops.sum(ops.square(feature), axis=-1, keepdims=True))
        x = layers.Dense(
            2 * self.num_keypoints,
            name=f"{TRANSFORMER}-fc_coord-linear",
            dtype=OUTPUT_DTYPE,
        )(feature / norm)
        return ops.reshape(x, (-1, self.num_keypoints, 2))

    def _decode(self, memory, start, sizes):
        """Tokens (M, K, D) and refined points (M, K, 2) of every decoder layer."""
        codes = [point_code(p, self.dim) for p in (start, ops.clip(start, 0, 1))]
        x = layers.Dense(self.dim, name=f"{TRANSFORMER}-pos_trans")(
            ops.concatenate(codes, axis=-1)
        )
        x = layer_norm(x, f"{TRANSFORMER}-pos_trans_norm")
        places = Table(self.num_keypoints, self.dim, name=f"{TRANSFORMER}-pos_embed")(x)
        tokens, references = [], []
        points = start
        for i in range(self.decoder_layers):
            name = f"{TRANSFORMER}-decoder-layers-{i}"
            y = self_attention(
                x,
                x + places,
                self.heads,
                name=f"{name}-attentions-0-attn",
                dropout=DROPOUT,
            )
            x = layer_norm(x + dropped(y, DROPOUT), f"{name}-norms-0")
            y = self._look(x + places, memory, points, sizes, f"{name}-attentions-1")
            x = layer_norm(x + dropped(y, DROPOUT), f"{name}-norms-1")
            names = (f"{name}-ffns-0-layers-0-0", f"{name}-ffns-0-layers-1")
            y = feed_forward(x, self.hidden, names, DROPOUT)
            x = layer_norm(x + dropped(y, DROPOUT), f"{name}-norms-2")
            moved = _mlp(x, f"{HEAD}-fc_coord_branches-{i}", relu=True)
            points = ops.sigmoid(moved + _logit(points))
            tokens.append(x)
            references.append(points)
        return tokens, references

    def _look(self, z, memory, points, sizes, name):
        """Deformable attention of (M, K, D) tokens at the memory."""
        places = len(sizes) * POINTS
        offsets = layers.Dense(2 * self.heads * places, name=f"{name}-sampling_offsets")
        moved = offsets(z)
        offsets.bias.assign(first_offsets(self.heads, len(sizes)))
        weights = layers.Dense(self.heads * places, name=f"{name}-attention_weights")
        shape = (-1, self.num_keypoints, self.heads, places)
        weights = ops.softmax(ops.reshape(weights(z), shape))
        x = SampleMemory(sizes, POINTS, name=f"{name}-sample")(
            memory, points, moved, weights
        )  # (M, heads, K, D)
        width = self.dim // self.heads
        kernel = Table(self.heads * self.dim, width, name=f"{name}-value_proj_weight")
        bias = Table(self.heads, width, name=f"{name}-value_proj_bias")
        kernel = ops.reshape(kernel(z), (1, self.heads, self.dim, width))
        x = merge_heads(ops.matmul(x, kernel)) + ops.reshape(bias(z), (1, 1, self.dim))
        return linear(x, self.dim, f"{name}-output_proj", bias="zeros")

    def _predict(self, tokens, points):
        """Keypoints and sigmas (M, K, 2) of the last layer."""
        i = self.decoder_layers - 1
        moved = _mlp(tokens, f"{HEAD}-fc_coord_output_branches-{i}", relu=True)
        name = f"{HEAD}-fc_sigma_branches-{i}"
        raw = _mlp(tokens, name, ("0", "1", "2-linear"), relu=False)
        return points + moved, ops.sigmoid(raw)

    def label_loss(self, model: Any):
        """Minus the log-likelihood of the labels, coarse and after every layer."""
        return PoseurLoss(self.dim, self.num_keypoints, self.decoder_layers - 1)

    def read_checkpoint(self, state):
        """Split the attention's matrices; leave out what only the loss needs."""
        head, early = f"{HEAD}.", range(self.decoder_layers - 1)
        modules = ("enc_flow", "dec_flow", "transformer.fc_sigma")
        dropped = [f"{head}{module}." for module in modules]
        for branches in ("fc_coord_output_branches", "fc_sigma_branches"):
            dropped += [f"{head}{branches}.{i}." for i in early]
        return split_in_projections(renamed(as_mmpose_0(state), {}, dropped))


def point_code(points, dim):
    """Sine code (M, K, dim) of points (M, K, 2): the first half is of x."""
    half = dim // 2
    index = np.arange(half)
    turns = 2 * np.pi / 1e4 ** (2 * (index // 2) / half)
    # Odd channels hold cosines: sines a quarter of a turn later.
    phases = np.where(index % 2, np.pi / 2, 0.0)
    turns, phases = turns.astype("float32"), phases.astype("float32")
    codes = [
        # By `ops`: PyTorch's tensors cannot be joined to arrays while they are trained.
        ops.sin(ops.add(ops.multiply(points[..., axis : axis + 1], turns), phases))
        for axis in (0, 1)
    ]
    return ops.concatenate(codes, axis=-1)


def first_offsets(heads, levels):
    """(heads * levels * POINTS * 2,) pixels: each head looks along its direction."""
    angles = 2 * np.pi * np.arange(heads) / heads
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    directions /= np.abs(directions).max(axis=1, keepdims=True)
    steps = np.arange(1, POINTS + 1)[:, None]
    offsets = np.broadcast_to(
        directions[:, None, None] * steps, (heads, levels, POINTS, 2)
    )
    return offsets.astype("float32").ravel()


def _mlp(tokens, name, parts=("0", "2", "4"), *, relu):
    """Three linear maps to (M, K, 2), with ReLUs between or without."""
    x = tokens
    for part, units in zip(parts, (x.shape[-1], x.shape[-1], 2), strict=True):
        bound = x.shape[-1] ** -0.5  # PyTorch's default, of weights and bias
        last = part == parts[-1]
        x = layers.Dense(
            units,
            kernel_initializer=RandomUniform(-bound, bound),
            bias_initializer=RandomUniform(-bound, bound),
            name=f"{name}-{part}",
            dtype=OUTPUT_DTYPE if last else None,
        )(x)
        x = ops.relu(x) if relu and not last else x
    return x


def _logit(points):
    """Inverse of the sigmoid, finite at the border of the crop and beyond."""
    points = ops.clip(points, 0, 1)
    odds = ops.maximum(points, REACH) / ops.maximum(1 - points, REACH)
    return ops.log(odds)


# AP of the paper; GMACs without the sampling of the memory, 0.017.
MODELS = {
    Poseur("poseur_mobilenetv2"): Figures(
        9_918_514, 0.4636, 11.36, 0.5, 71.9, 1_437_286
    ),
    Poseur("poseur_resnet50", backbone=ResNet()): Figures(
        31_819_122, 4.506, 33.26, 4.6, 75.4, 1_437_286
    ),
    Poseur("poseur_hrnet_w32", backbone=HRNet(32, stages=4)): Figures(
        36_756_466, 7.902, 38.19, 7.4, 76.9, 1_437_286
    ),
    Poseur(
        "poseur_hrnet_w48", backbone=HRNet(48, stages=4), input_size=(384, 288)
    ): Figures(72_837_490, 36.03, 74.27, 33.6, 78.8, 1_437_286),
}
