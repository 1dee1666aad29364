"""Heads: from features to a dict of named outputs."""

import keras
from keras import layers, ops

from distilpose_keras.models.integral import integral_head
from distilpose_keras.models.layers import (
    TOKEN_INITIALIZER,
    AddPositions,
    PrependTokens,
    batch_norm,
    dense,
    layer_norm,
    transformer_layer,
)

DECONV_FILTERS = 256  # SimpleBaselines (Xiao et al., 2018)
# Predictions keep float32 under a mixed-precision policy.
OUTPUT_DTYPE = "float32"


def head(features, config):
    """Build the configured head on the backbone's features.

    Returns:
        dict of a student's or a teacher's outputs.
    """
    builders = {
        "token_regression": token_regression_head,
        "token_heatmap": token_heatmap_head,
        "regression": regression_head,
        "heatmap": heatmap_head,
        "integral": integral_head,
    }
    return builders[config.head](features, config)


def token_regression_head(features, config):
    """DistilPose: keypoint tokens to coordinates, scores and sigmas."""
    name = "keypoint_head-tokenhead"
    keypoint_tokens, visual_tokens = tokens(features, config, name=name)
    x = layer_norm(keypoint_tokens, f"{name}-mlp_head-0", dtype=OUTPUT_DTYPE)
    x = dense(x, 3 + config.num_sigmas, f"{name}-mlp_head-1", dtype=OUTPUT_DTYPE)
    return {
        "keypoints": ops.sigmoid(x[..., :2]),
        **_score_and_sigmas(x),
        "keypoint_tokens": keypoint_tokens,
        "visual_tokens": visual_tokens,
    }


def token_heatmap_head(features, config):
    """TokenPose: keypoint tokens to heatmaps (B, K, H / 4, W / 4)."""
    name = "keypoint_head-tokenpose"
    keypoint_tokens, visual_tokens = tokens(features, config, name=name)
    height, width = config.heatmap_size
    x = layer_norm(keypoint_tokens, f"{name}-mlp_head-0")
    x = dense(x, config.heatmap_hidden, f"{name}-mlp_head-1")
    x = layer_norm(x, f"{name}-mlp_head-2", dtype=OUTPUT_DTYPE)
    x = dense(x, height * width, f"{name}-mlp_head-3", dtype=OUTPUT_DTYPE)
    return {
        "heatmaps": ops.reshape(x, (-1, config.num_keypoints, height, width)),
        "keypoint_tokens": keypoint_tokens,
        "visual_tokens": visual_tokens,
    }


def regression_head(features, config):
    """DeepPose: pooled features to coordinates, linear as published.

    Without `confidence` every score is 1, as in the published decoder.
    """
    outputs = 3 + config.num_sigmas if config.confidence else 2
    x = layers.GlobalAveragePooling2D()(features)
    x = layers.Dense(
        config.num_keypoints * outputs,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name="keypoint_head-fc",
        dtype=OUTPUT_DTYPE,
    )(x)
    x = ops.reshape(x, (-1, config.num_keypoints, outputs))
    if not config.confidence:
        return {"keypoints": x, "scores": ops.ones_like(x[..., :1])}
    return {"keypoints": x[..., :2], **_score_and_sigmas(x)}


def heatmap_head(features, config):
    """SimpleBaselines and HRNet: deconvolutions, if any, and a 1x1 convolution."""
    x = features
    for i in range(config.deconv_layers):
        name = f"keypoint_head-deconv_layers-{3 * i}"
        x = layers.Conv2DTranspose(
            DECONV_FILTERS,
            4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            name=name,
        )(x)
        x = ops.relu(batch_norm(x, f"keypoint_head-deconv_layers-{3 * i + 1}"))
    x = layers.Conv2D(
        config.num_keypoints,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        name="keypoint_head-final_layer",
        dtype=OUTPUT_DTYPE,
    )(x)
    return {"heatmaps": ops.transpose(x, (0, 3, 1, 2))}


def tokens(features, config, *, name):
    """Run the transformer over keypoint tokens and patches of the features.

    The position code is added before the first layer and again before every later
    one; no norm follows the last. These are the tokens that are distilled.

    Args:
        features: (B, H / 4, W / 4, C).
        config: `ModelConfig`.
        name: published prefix of the head.

    Returns:
        keypoint_tokens (B, K, D), visual_tokens (B, P, D).
    """
    k, dim, (rows, columns) = config.num_keypoints, config.token_dim, config.patch_grid
    # A linear map of each (row, column, channel) patch is a strided convolution.
    x = layers.Conv2D(
        dim,
        config.patch_size,
        strides=config.patch_size,
        kernel_initializer=keras.initializers.get(TOKEN_INITIALIZER),
        name=f"{name}-patch_to_embedding",
    )(features)
    x = ops.reshape(x, (-1, rows * columns, dim))  # (B, P, D)
    x = PrependTokens(k, name=name)(x)  # (B, K + P, D)
    for i in range(config.token_layers):
        x = AddPositions(config.patch_grid, name=f"{name}-positions-{i}")(x)
        x = transformer_layer(
            x,
            config.token_heads,
            config.token_mlp_ratio,
            name=f"{name}-transformer-layers-{i}",
        )
    return x[:, :k], x[:, k:]


def _score_and_sigmas(x):
    """Split raw (B, K, 3 + S) outputs: scores raw, sigmas (B, K, 2) positive."""
    sigmas = ops.softplus(x[..., 3:])
    if sigmas.shape[-1] == 1:
        sigmas = ops.concatenate([sigmas, sigmas], axis=-1)
    return {"scores": x[..., 2:3], "sigmas": sigmas}
