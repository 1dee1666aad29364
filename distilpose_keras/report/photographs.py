"""Photographs for the report: what models see that were trained on other pictures."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from distilpose_keras.data.images import ImageError, read_image
from distilpose_keras.detection import PersonFinder
from distilpose_keras.drawing import add_caption, draw_boxes, draw_poses, side_by_side
from distilpose_keras.pictures import IMAGE_SUFFIXES
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.report.panels import zoomed
from distilpose_keras.types import FilePath


def choose_photographs(folder: FilePath, count: int) -> list[Path]:
    """Return the first pictures of a folder that can be read, by name.

    Args:
        folder: with pictures.
        count: how many, at most.

    Raises:
        ValueError: one line, if there is none.
    """
    chosen, errors = [], []
    for path in sorted(Path(folder).iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        try:
            read_image(path)
        except ImageError as error:
            errors.append(str(error))
            continue
        chosen.append(path)
        if len(chosen) == count:
            break
    if not chosen:
        reason = f": {errors[0]}" if errors else ""
        raise ValueError(f"no picture in {folder} can be read{reason}")
    return chosen


def photograph_panels(
    paths: Iterable[Path], predictors: Mapping[str, PosePredictor], finder: PersonFinder
) -> list[tuple[str, np.ndarray]]:
    """Show whom a finder finds beside what each model predicts in those boxes.

    Args:
        paths: of the pictures; those that cannot be read any more are left out.
        predictors: by name; their keypoints are of people.
        finder: where people are.

    Returns:
        list of (caption, uint8 RGB picture), one per picture.
    """
    panels = []
    for path in paths:
        try:
            full = read_image(path)
        except ImageError:
            continue
        image = zoomed(full)
        zoom = image.shape[0] / full.shape[0]
        boxes, _ = finder.find(full)
        row = [add_caption(draw_boxes(image, boxes * zoom), f"{len(boxes)} found")]
        for name, predictor in predictors.items():
            poses = predictor.predict(full, boxes)
            drawn = draw_poses(
                image, poses.keypoints * zoom, poses.scores, predictor.schema
            )
            row.append(add_caption(drawn, name))
        panels.append((path.name, side_by_side(row)))
    return panels
