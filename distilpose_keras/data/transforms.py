"""Pure geometry: a person box, its crop, and the augmentation of that crop.

A crop is described by a center (2,) in pixels, a scale (2,) in units of 200 pixels, a
rotation in degrees and a flip; all augmentation happens on these four. One 2x3 affine
matrix that a `CropGeometry` makes from them then moves pixels and points alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.types import Size

if TYPE_CHECKING:
    from distilpose_keras.keypoints import KeypointSchema

from distilpose_keras.geometry import PIXEL_STD, PLAIN, CropGeometry

PADDING = 1.25  # a crop shows this much more than the box
HALF_BODY_PADDING = 1.5
# The published code draws the upper body when a standard normal is below 0.5.
UPPER_BODY_PROBABILITY = 0.6915


def box_to_center_scale(
    boxes_xywh: ArrayLike,
    *,
    input_size: Size = (256, 192),
    padding: float = PADDING,
    geometry: CropGeometry = PLAIN,
) -> tuple[np.ndarray, np.ndarray]:
    """Return center and scale of the crop that shows a box.

    The box is widened or heightened about its center to the aspect ratio of the crop
    and then enlarged by ``padding``.

    Args:
        boxes_xywh: (..., 4) boxes (left, top, width, height) in pixels.
        input_size: (height, width) of the crop.
        padding: enlargement of the box.
        geometry: `CropGeometry` of the crop.

    Returns:
        center (..., 2) in pixels and scale (..., 2) in units of 200 pixels, float32.
    """
    boxes = np.asarray(boxes_xywh, np.float64)
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"boxes_xywh must be (..., 4). Received: {boxes.shape}")
    center = boxes[..., :2] + (boxes[..., 2:] - geometry.image_margin) * 0.5
    extent = _fit_aspect(boxes[..., 2:], input_size)
    scale = (extent / PIXEL_STD).astype(np.float32) * np.float32(padding)
    return center.astype(np.float32), scale


def _fit_aspect(extents, input_size):
    """Enlarge (..., 2) extents (width, height) to the aspect ratio of the crop."""
    aspect = input_size[1] / input_size[0]
    width = np.maximum(extents[..., 0], extents[..., 1] * aspect)
    return np.stack([width, width / aspect], axis=-1)


def warp(image: np.ndarray, matrix: np.ndarray, output_size: Size) -> np.ndarray:
    """Cut a crop out of an image, bilinearly; what lies outside the image is black.

    Args:
        image: (H, W, C) uint8 or float32.
        matrix: (2, 3) from source to crop pixels.
        output_size: (height, width) of the crop.

    Returns:
        (height, width, C) of the image's dtype.
    """
    height, width = output_size
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)


def transform_points(points: ArrayLike, matrix: np.ndarray) -> np.ndarray:
    """Move (..., 2) points (x, y) by a (2, 3) affine matrix."""
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def affordable_reduction(matrix):
    """Return how much smaller a picture may be decoded for a crop: 1, 2, 4 or 8.

    Two decoded pixels are left for every pixel of the crop along each axis, so that
    bilinear sampling sees no less than it did.

    Args:
        matrix: (2, 3) from source to crop pixels.
    """
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return next((factor for factor in (8, 4, 2) if 2 * zoom * factor <= 1), 1)


def reduced_matrix(matrix, reduction):
    """Return the (2, 3) matrix from the pixels of a reduced picture to crop pixels."""
    linear = matrix[:, :2] * reduction
    # Pixel 0 of the reduced picture covers pixels 0 to reduction - 1.
    shift = matrix[:, 2] + matrix[:, :2].sum(axis=1) * (reduction - 1) / 2
    return np.concatenate([linear, shift[:, None]], axis=1)


@dataclass(frozen=True)
class Augmentation:
    """How far a training crop may stray from its box.

    The defaults are the protocol of the published COCO recipes. Flip, half body and
    the rest are drawn independently for every person.

    Attributes:
        flip_probability: of mirroring left and right.
        half_body_probability: of showing the upper or the lower body only.
        half_body_joints: half bodies are cut from people with more labelled joints.
        scale_spread: standard deviation of the zoom about 1; clipped at one deviation.
        rotation_spread: standard deviation in degrees; clipped at two deviations.
        rotation_probability: of turning at all.
        jitter: largest shift of the center, as a fraction of the box.
        jitter_probability: of shifting at all.
        upside_down_probability: of turning by any angle, all alike, in place of the
            rotation above: gymnasts, swimmers, people who lie. Not in the published
            recipes.
    """

    flip_probability: float = 0.5
    half_body_probability: float = 0.3
    half_body_joints: int = 8
    scale_spread: float = 0.35
    rotation_spread: float = 45.0
    rotation_probability: float = 0.6
    jitter: float = 0.2
    jitter_probability: float = 0.3
    upside_down_probability: float = 0.0

    @property
    def turns(self):
        """Whether any crop is turned."""
        return self.rotation_probability > 0 or self.upside_down_probability > 0

    @classmethod
    def none(cls) -> "Augmentation":
        """Return the augmentation that leaves every crop as its box says."""
        return cls(
            flip_probability=0.0,
            half_body_probability=0.0,
            scale_spread=0.0,
            rotation_probability=0.0,
            jitter_probability=0.0,
        )


def half_body_center_scale(
    keypoints: ArrayLike,
    selected: Iterable[int],
    *,
    input_size: Size = (256, 192),
    geometry: CropGeometry = PLAIN,
) -> tuple[np.ndarray, np.ndarray]:
    """Return center and scale of a crop around some of a person's joints.

    Args:
        keypoints: (K, 2) pixels.
        selected: indices of the joints to show.
        input_size: (height, width) of the crop.
        geometry: `CropGeometry` of the crop.

    Returns:
        center (2,), the mean of the joints, and scale (2,), their tight box at the
        aspect ratio of the crop times 1.5; float32.
    """
    points = np.asarray(keypoints, np.float32)[list(selected)]
    box = np.ptp(points, axis=0).astype(np.float64) + geometry.image_margin
    extent = _fit_aspect(box, input_size)
    scale = (extent / PIXEL_STD).astype(np.float32) * np.float32(HALF_BODY_PADDING)
    return points.mean(axis=0), scale


def choose_half_body(
    visibility: np.ndarray, schema: "KeypointSchema", prefer_upper: bool
) -> list[int] | None:
    """Return the labelled joints of one half of the body, or None if there are too few.

    The preferred half is taken if it has more than two labelled joints, then the other
    one, the lower body before the upper.
    """
    upper = [i for i in schema.upper_body if visibility[i] > 0]
    lower = [i for i in schema.lower_body if visibility[i] > 0]
    if prefer_upper and len(upper) > 2:
        selected = upper
    else:
        selected = lower if len(lower) > 2 else upper
    return selected if len(selected) >= 2 else None


def augment_pose(
    rng: np.random.Generator,
    center: np.ndarray,
    scale: np.ndarray,
    keypoints: np.ndarray,
    visibility: np.ndarray,
    box_xywh: np.ndarray,
    schema: "KeypointSchema",
    augmentation: Augmentation,
    *,
    input_size: Size = (256, 192),
    geometry: CropGeometry = PLAIN,
) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """Draw the crop of one training sample.

    The same number of values is drawn whatever the probabilities are, so that one
    setting does not reshuffle the others.

    Args:
        rng: numpy Generator.
        center: (2,) pixels, from `box_to_center_scale`.
        scale: (2,), from `box_to_center_scale`.
        keypoints: (K, 2) pixels.
        visibility: (K,), 0 for a joint that is not labelled.
        box_xywh: (4,) the person's box; center jitter is relative to it.
        schema: KeypointSchema of the keypoints.
        augmentation: Augmentation.
        input_size: (height, width) of the crop.
        geometry: `CropGeometry` of the crop.

    Returns:
        center (2,), scale (2,), rotation in degrees, and flip (bool).
    """
    chance = rng.random(5)  # jitter, flip, half body, upper or lower, rotation
    shift = rng.uniform(-1.0, 1.0, 2) * augmentation.jitter
    zoom, turn = rng.standard_normal(2)
    any_angle, angle = rng.random(2)

    if chance[0] < augmentation.jitter_probability:
        center = center + (shift * np.asarray(box_xywh[2:])).astype(np.float32)
    flip = bool(chance[1] < augmentation.flip_probability)
    if (
        chance[2] < augmentation.half_body_probability
        and np.count_nonzero(visibility) > augmentation.half_body_joints
    ):
        upper_first = chance[3] < UPPER_BODY_PROBABILITY
        selected = choose_half_body(visibility, schema, upper_first)
        if selected is not None:
            center, scale = half_body_center_scale(
                keypoints, selected, input_size=input_size, geometry=geometry
            )
    spread = augmentation.scale_spread
    factor = np.clip(1.0 + spread * zoom, 1.0 - spread, 1.0 + spread)
    rotation = 0.0
    if chance[4] < augmentation.rotation_probability:
        rotation = augmentation.rotation_spread * float(np.clip(turn, -2.0, 2.0))
    if any_angle < augmentation.upside_down_probability:
        rotation = 360.0 * float(angle) - 180.0
    return center, scale * np.float32(factor), rotation, flip
