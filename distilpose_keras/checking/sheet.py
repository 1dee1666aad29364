"""Contact sheets: the worst cases of a problem, side by side."""

import numpy as np

from distilpose_keras.crops import crop_people
from distilpose_keras.data.images import ImageError, read_image
from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.drawing import draw_boxes, draw_poses

TILE = (220, 220)  # height and width of one case, pixels
COLUMNS = 4
_ROOM = 1.6  # a case shows this much more than the box and keypoints of the person


def contact_sheet(problem, schema):
    """Show a problem's examples that have a picture.

    Args:
        problem: `Problem`.
        schema: KeypointSchema of the people.

    Returns:
        (height, width, 3) uint8 RGB and the texts of the cases in reading order, or
        None if no case can be shown.
    """
    tiles, texts = [], []
    for example in problem.examples:
        tile = _tile(example, schema)
        if tile is not None:
            tiles.append(tile)
            texts.append(example.text)
    if not tiles:
        return None
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % min(COLUMNS, len(tiles)))
    columns = min(COLUMNS, len(texts))
    rows = [
        np.concatenate(tiles[n : n + columns], axis=1)
        for n in range(0, len(tiles), columns)
    ]
    return np.concatenate(rows), texts


def _tile(example, schema):
    """One case, its keypoints and box drawn in the picture; None if it has none."""
    if example.picture is None:
        return None
    try:
        image = read_image(example.picture, example.size)
    except ImageError:
        return None
    height, width = image.shape[:2]
    box = np.array([0, 0, width, height], np.float64)
    room = 1.0
    if example.keypoints is not None:
        visible = example.visibility > 0
        corners = [example.box_xywh[:2], example.box_xywh[:2] + example.box_xywh[2:]]
        places = np.concatenate([example.keypoints[visible], corners])
        # Far outside there is nothing to see, and the person would be a dot.
        limit = np.array([width, height])
        places = np.clip(places, -0.5 * limit, 1.5 * limit)
        low, high = places.min(axis=0), places.max(axis=0)
        box, room = np.concatenate([low, np.maximum(high - low, 8)]), _ROOM
        image = draw_boxes(image, example.box_xywh[None])
        flags = example.visibility[None]
        image = draw_poses(image, example.keypoints[None], flags, schema)
    center, scale = box_to_center_scale(box, input_size=TILE, padding=room)
    return crop_people(image, center[None], scale[None], TILE)[0]
