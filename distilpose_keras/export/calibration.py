"""Crops of real people, from which quantizers learn the ranges of activations."""

from typing import TYPE_CHECKING

import numpy as np

from distilpose_keras.crops import crop_batches

if TYPE_CHECKING:
    from distilpose_keras.data.people_index import PeopleIndex
    from distilpose_keras.models.model import PoseModel

CROPS = 256
# Fewer leave ranges to chance.
MIN_CROPS = 16


def calibration_crops(
    people: "PeopleIndex", model: "PoseModel", *, count: int = CROPS, seed: int = 0
) -> np.ndarray:
    """Draw crops of people as the model will see them.

    Args:
        people: a `PeopleIndex` of the model's keypoint schema.
        model: the `PoseModel` to be quantized.
        count: crops to draw; all people where there are fewer.
        seed: which people are drawn.

    Returns:
        (N, H, W, 3) uint8 RGB.

    Raises:
        ValueError: if there are fewer than `MIN_CROPS` people, or their keypoints are
            not the model's.
    """
    config = model.pose_config
    check_schema(people, model)
    if len(people) < MIN_CROPS:
        raise ValueError(
            f"calibration needs at least {MIN_CROPS} people with keypoints. "
            f"Received: {len(people)} in {people.annotation_file}"
        )
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(people))[:count]
    batches = crop_batches(
        people.take(np.sort(chosen)),
        input_size=config.input_size,
        batch_size=64,
        geometry=config.geometry,
    )
    return np.concatenate([batch.crops for batch in batches])


def check_schema(people: "PeopleIndex", model: "PoseModel") -> None:
    """Raise a ValueError unless the people's keypoints are those of the model."""
    wanted, found = model.pose_config.schema.names, people.schema.names
    if wanted != found:
        raise ValueError(
            f"{people.annotation_file}: expected the model's {len(wanted)} keypoints "
            f"({', '.join(wanted[:3])}, ...). Received: {len(found)} "
            f"({', '.join(found[:3])}, ...)"
        )


def check_crops(crops: np.ndarray | None, model: "PoseModel") -> None:
    """Raise a ValueError unless crops are enough, and of the model's input size."""
    height, width = model.pose_config.input_size
    if crops is None:
        raise ValueError(
            "int8 needs calibration crops: an array (N, H, W, 3) of uint8 RGB"
        )
    if crops.dtype != np.uint8 or crops.shape[1:] != (height, width, 3):
        raise ValueError(
            f"calibration crops must be (N, {height}, {width}, 3) uint8. "
            f"Received: {crops.shape} {crops.dtype}"
        )
    if len(crops) < MIN_CROPS:
        raise ValueError(
            f"calibration needs at least {MIN_CROPS} crops. Received: {len(crops)}"
        )
