"""The loss and the targets of TransPose and of TokenPose's own releases.

Yang et al., "TransPose: Keypoint Localization via Transformer" (ICCV 2021); Li et al.,
"TokenPose: Learning Keypoint Tokens for Human Pose Estimation" (ICCV 2021). Both use
crops whose outer pixel centres are the borders of the box: a crop of W pixels is W - 1
wide. Their targets are drawn at sub-pixel positions, all over the map.

Legend: B samples, K keypoints, (H, W) heatmap pixels.
"""

from keras import ops

from distilpose_keras.losses.means import as_float32, mean_of_means

# Whether a keypoint is on the map is asked of a box of so many deviations.
BOX_SIGMAS = 3


def half_heatmap_loss(heatmaps, targets, weights, *, sample_weight=None):
    """Half the mean squared difference of weighted heatmaps.

    Args:
        heatmaps: (B, K, H, W).
        targets: (B, K, H, W).
        weights: (B, K, 1) 1 for a labelled keypoint, 0 otherwise.
        sample_weight: optional (B,).
    """
    heatmaps, targets, weights = as_float32(heatmaps, targets, weights)
    weights = weights[..., None]
    difference = ops.square(weights * heatmaps - weights * targets)
    return 0.5 * mean_of_means(difference, sample_weight)


def subpixel_heatmaps(keypoints, weights, crop_size, heatmap_size, sigma=2.0):
    """Draw a whole Gaussian at the exact place of each labelled keypoint.

    Args:
        keypoints: (B, K, 2) pixels of the crop over its width and height.
        weights: (B, K, 1) 1 for a labelled keypoint, in the crop or not.
        crop_size: (height, width) of the crop.
        heatmap_size: (H, W).
        sigma: standard deviation in heatmap pixels; 2, and 3 for crops of 384x288.

    Returns:
        heatmaps (B, K, H, W) and weights (B, K, 1), float32. The weight is zero for a
        keypoint that is hidden or whose 3-sigma box does not touch the map.
    """
    keypoints, weights = as_float32(keypoints, weights)
    x, y = heatmap_positions(keypoints, crop_size, heatmap_size)  # (B, K) each
    height, width = heatmap_size
    on_map = _touches(x, width, sigma) & _touches(y, height, sigma)
    weights = weights * ops.cast(on_map, "float32")[..., None]
    rows, columns = _gaussian(height, y, sigma), _gaussian(width, x, sigma)
    return rows[..., :, None] * columns[..., None, :], weights


def heatmap_positions(keypoints, crop_size, heatmap_size):
    """Return x and y (B, K) in heatmap pixels of (B, K, 2) keypoints of the crop.

    Crop and map share their centre; one factor, that of the widths, serves both axes.
    """
    (crop_height, crop_width), (height, width) = crop_size, heatmap_size
    factor = (width - 1) / (crop_width - 1)
    x = (keypoints[..., 0] * crop_width - (crop_width - 1) / 2) * factor
    y = (keypoints[..., 1] * crop_height - (crop_height - 1) / 2) * factor
    return x + (width - 1) / 2, y + (height - 1) / 2


def _touches(centers, length, sigma):
    """Whether the box around each centre, its ends truncated, touches the map."""
    reach = BOX_SIGMAS * sigma
    return (ops.trunc(centers - reach) < length) & (ops.trunc(centers + reach + 1) >= 0)


def _gaussian(length, centers, sigma):
    """(..., length) values at pixels 0, 1, ..."""
    distance = ops.arange(length, dtype="float32") - centers[..., None]
    return ops.exp(-0.5 * ops.square(distance / sigma))
