"""A regression head that reads coordinates off maps of where a joint may be.

The expectation of a position under a softmax over the feature map (Sun et al., 2018,
"Integral Human Pose Regression"): as quick to learn as a heatmap, and a regression for
all that comes after, with the keypoints, sigmas and scores that distillation wants.
"""

import numpy as np
from keras import layers, ops

OUTPUT_DTYPE = "float32"


def integral_head(features, config):
    """Keypoints, their spread and their scores.

    A score is the expectation of a second map under the same softmax: what that map
    says about the place where the joint is.

    Args:
        features: (B, H, W, C) at stride 4.
        config: `ModelConfig`.

    Returns:
        dict of keypoints (B, K, 2), sigmas (B, K, 2) in heatmap pixels, scores
        (B, K, 1) and location_logits (B, K, H, W), which only training reads.
    """
    k, (height, width) = config.num_keypoints, config.heatmap_size
    grid = location_grid(height, width)

    def maps(name):
        x = layers.Conv2D(k, 1, name=f"keypoint_head-{name}", dtype=OUTPUT_DTYPE)
        return ops.reshape(
            ops.transpose(x(features), (0, 3, 1, 2)), (-1, k, height * width)
        )

    logits = maps("location")
    chance = ops.softmax(logits)  # (B, K, H W)
    keypoints = ops.matmul(chance, grid)
    squares = ops.matmul(chance, np.square(grid))
    variance = ops.maximum(squares - ops.square(keypoints), 1e-6)
    scores = ops.sum(chance * maps("confidence"), axis=-1, keepdims=True)
    return {
        "keypoints": keypoints,
        "scores": scores,
        "sigmas": ops.sqrt(variance) * np.array([width, height], "float32"),
        "location_logits": ops.reshape(logits, (-1, k, height, width)),
    }


def location_grid(height, width):
    """(H W, 2) normalised x and y of the pixels of a map, row by row."""
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype("float32")
