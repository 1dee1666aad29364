"""Drawing: poses, confidence and heatmaps on RGB images, with OpenCV alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from distilpose_keras.keypoints import KeypointSchema

# RGB: the left side of the person is warm, the right side cold, the middle white.
LEFT, RIGHT, MIDDLE = (255, 140, 40), (40, 170, 255), (245, 245, 245)
OUTLINE = (20, 20, 20)
SCORE_THRESHOLD = 0.2
_SUBPIXEL = 4  # bits: OpenCV draws at a sixteenth of a pixel


def draw_poses(
    image: np.ndarray,
    keypoints: ArrayLike,
    scores: ArrayLike,
    schema: "KeypointSchema",
    *,
    threshold: float = SCORE_THRESHOLD,
    color_by_score: bool = False,
) -> np.ndarray:
    """Draw the skeletons of people on a copy of an image.

    Args:
        image: (height, width, 3) uint8 RGB.
        keypoints: (N, K, 2) pixels.
        scores: (N, K) confidences; for annotated people, their visibility.
        schema: the `KeypointSchema` of the keypoints.
        threshold: keypoints that do not exceed it are left out, and so are those
            outside the image: nobody sees them, whatever their scores.
        color_by_score: color keypoints by `score_colors` (the paper's Figure 6)
            instead of by the side of the body.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    image = np.ascontiguousarray(image).copy()
    sides = side_colors(schema)
    for points, confidence in zip(keypoints, scores, strict=True):
        shown = (confidence > threshold) & _inside(points, image)
        if not shown.any():
            continue
        size = _line_width(points[shown])
        colors = score_colors(confidence) if color_by_score else sides
        for a, b in schema.skeleton:
            if shown[a] and shown[b]:
                color = _limb_color(colors[a], colors[b], color_by_score)
                _line(image, points[a], points[b], color, size)
        for index in np.flatnonzero(shown):
            _dot(image, points[index], colors[index], size)
    return image


def _inside(points, image):
    """(K,) whether points (K, 2) lie in an image, its outer pixels included."""
    height, width = image.shape[:2]
    points = np.asarray(points)
    return ((points >= -0.5) & (points < [width - 0.5, height - 0.5])).all(axis=1)


def draw_boxes(
    image: np.ndarray,
    boxes_xywh: ArrayLike,
    *,
    color: tuple[int, int, int] = (250, 220, 60),
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Draw person boxes (N, 4) on a copy of an image, with a text at each."""
    image = np.ascontiguousarray(image).copy()
    thickness = max(1, round(max(image.shape[:2]) / 400))
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, max(image.shape[:2]) / 1200
    boxes = np.asarray(boxes_xywh, np.float64).reshape(-1, 4)
    labels = [""] * len(boxes) if labels is None else labels
    for (left, top, width, height), label in zip(boxes, labels, strict=True):
        corners = _fixed((left, top)), _fixed((left + width, top + height))
        cv2.rectangle(image, *corners, color, thickness, cv2.LINE_AA, _SUBPIXEL)
        if label:
            place = (round(left) + 3 * thickness, round(top + 30 * scale))
            for ink, width in ((OUTLINE, 3 * thickness), (color, thickness)):
                cv2.putText(image, label, place, font, scale, ink, width, cv2.LINE_AA)
    return image


def side_colors(schema: "KeypointSchema") -> np.ndarray:
    """(K, 3) RGB colors by side: left warm, right cold, middle white."""
    colors = np.tile(np.array(MIDDLE, np.uint8), (schema.num_keypoints, 1))
    for left, right in schema.flip_pairs:
        colors[left], colors[right] = LEFT, RIGHT
    return colors


def score_colors(scores: ArrayLike) -> np.ndarray:
    """RGB colors of confidences: red at 0, yellow at 0.5, green at 1.

    Args:
        scores: (...,) confidences; clipped to [0, 1].

    Returns:
        (..., 3) uint8.
    """
    sure = np.clip(np.nan_to_num(np.asarray(scores, np.float64)), 0.0, 1.0)
    red = np.minimum(1.0, 2 - 2 * sure)
    green = np.minimum(1.0, 2 * sure)
    color = np.stack([red * 235, green * 210, np.full_like(sure, 45)], axis=-1)
    return color.round().astype(np.uint8)


def overlay_heatmaps(
    crop: np.ndarray, heatmaps: np.ndarray, *, opacity: float = 0.65
) -> np.ndarray:
    """Lay heatmaps over the crop they belong to.

    Args:
        crop: (H, W, 3) uint8 RGB.
        heatmaps: (K, h, w) heatmaps, 1 at a keypoint; the largest of the K counts.
        opacity: of the heatmap at its peaks.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = crop.shape[:2]
    strongest = np.clip(np.nan_to_num(np.max(heatmaps, axis=0)), 0, 1)
    # Map pixel (x, y) stands for crop pixel (x, y) times the stride: no half-pixel
    # shift, unlike cv2.resize.
    stretch = np.array(
        [[width / strongest.shape[1], 0, 0], [0, height / len(strongest), 0]]
    )
    strongest = cv2.warpAffine(
        strongest.astype(np.float32),
        stretch,
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    strongest = np.clip(strongest, 0, 1)[..., None]
    heat = cv2.applyColorMap(
        (strongest * 255).round().astype(np.uint8), cv2.COLORMAP_JET
    )
    heat = cv2.cvtColor(heat, cv2.COLOR_BGR2RGB)
    gray = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = opacity * np.sqrt(strongest)
    return (heat * share + gray * (1 - share)).round().astype(np.uint8)


def add_caption(image: np.ndarray, text: str) -> np.ndarray:
    """Return the image with a line of text above it."""
    height, width = image.shape[:2]
    bar = max(18, round(width / 12)) if width < 400 else 30
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, bar / 42
    text_width = cv2.getTextSize(text, font, scale, 1)[0][0]
    scale *= min(1.0, (width - 8) / max(text_width, 1))
    strip = np.full((bar, width, 3), 255, np.uint8)
    cv2.putText(
        strip, text, (4, round(bar * 0.7)), font, scale, OUTLINE, 1, cv2.LINE_AA
    )
    return np.concatenate([strip, image])


def side_by_side(
    images: Sequence[np.ndarray], *, height: int | None = None, gap: int = 6
) -> np.ndarray:
    """Join images of any sizes in a row.

    Args:
        images: RGB uint8 images.
        height: common height; the tallest one's by default.
        gap: white pixels between them.
    """
    height = height or max(image.shape[0] for image in images)
    row = []
    for image in images:
        width = max(1, round(image.shape[1] * height / image.shape[0]))
        shrinks = height < image.shape[0]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        row += [
            cv2.resize(image, (width, height), interpolation=method),
            np.full((height, gap, 3), 255, np.uint8),
        ]
    return np.concatenate(row[:-1], axis=1)


def _line_width(points):
    """Line width in pixels that suits a person of this extent."""
    extent = np.ptp(points, axis=0).max() if len(points) > 1 else 0
    return int(np.clip(round(extent / 60), 1, 12))


def _limb_color(first, second, blend):
    """The color of a limb: the mean of its ends, or that of the side it is on."""
    if blend:
        return ((first.astype(int) + second) // 2).tolist()
    if np.array_equal(first, MIDDLE) or np.array_equal(first, second):
        return second.tolist()
    return first.tolist() if np.array_equal(second, MIDDLE) else list(MIDDLE)


def _line(image, start, end, color, width):
    ends = _fixed(start), _fixed(end)
    outline = width + min(width, 2)
    cv2.line(image, *ends, OUTLINE, outline, cv2.LINE_AA, _SUBPIXEL)
    cv2.line(image, *ends, color, width, cv2.LINE_AA, _SUBPIXEL)


def _dot(image, center, color, width):
    place = _fixed(center)
    radius = (width + 1) << _SUBPIXEL
    outline = radius + (min(width, 2) << _SUBPIXEL) // 2
    cv2.circle(image, place, outline, OUTLINE, -1, cv2.LINE_AA, _SUBPIXEL)
    cv2.circle(image, place, radius, color.tolist(), -1, cv2.LINE_AA, _SUBPIXEL)


def _fixed(point):
    """A point in OpenCV's fixed-point pixels."""
    # Far outside the image the integers of OpenCV would overflow.
    limited = np.clip(np.asarray(point, np.float64), -10000, 10000)
    return tuple(int(v) for v in np.round(limited * (1 << _SUBPIXEL)))
