"""Boxes as maps: how near a cell is to a person's middle, and how far its sides are.

Legend: a map of h x w cells, each `STRIDE` pixels wide; boxes (left, top, width,
height) in pixels of the network's input; sides (left, top, right, bottom) distances
from the middle of a cell.

The middles are those of CenterNet (Zhou et al., 2019), as ellipses of the box's shape
whose cells all learn the sides, after TTFNet (Liu et al., 2020): a network that learns
sides at the very middle only needs ten times as long.
"""

import numpy as np
from keras import ops

STRIDE = 8
REACH = 0.54  # of a box's half sides: the ellipse around its middle (TTFNet)
NEAREST = 0.5  # pixels to a side at least, where a cell's middle is outside the box
# Limits of the logarithm of a side in cells: sides of 0.1 to 700 pixels.
LOG_LIMITS = (-4.0, 4.5)


def encode(boxes_xywh, input_size, ignored_xywh=()):
    """Draw the targets of one picture.

    Where ellipses overlap, the cell is the smaller person's.

    Args:
        boxes_xywh: (N, 4) people, in pixels of the input.
        input_size: (height, width) of the input.
        ignored_xywh: (M, 4) parts of the picture that are nobody's fault: no cell in
            them learns that there is nobody.

    Returns:
        Dict of float32 maps: `middles` (h, w, 1) in [0, 1], 1 at every person's middle;
        `sides` (h, w, 4) in pixels; `shares` (h, w, 1), what a cell counts for the
        sides, at most 1 in all for a person; `counted` (h, w, 1), 0 or 1.
    """
    rows, columns = (side // STRIDE for side in input_size)
    middles = np.zeros((rows, columns), np.float32)
    shares = np.zeros((rows, columns), np.float32)
    sides = np.ones((rows, columns, 4), np.float32)
    counted = np.ones((rows, columns), np.float32)
    for left, top, width, height in np.reshape(ignored_xywh, (-1, 4)):
        begin = np.floor(np.array([top, left]) / STRIDE).astype(int).clip(0)
        end = np.ceil(np.array([top + height, left + width]) / STRIDE).astype(int)
        counted[begin[0] : end[0], begin[1] : end[1]] = 0
    cells = _cell_middles(rows, columns)
    boxes = np.asarray(boxes_xywh, np.float64).reshape(-1, 4)
    for box in boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]:
        ellipse = _ellipse(box, rows, columns)
        middles = np.maximum(middles, ellipse)
        inside = ellipse > 0
        shares[inside] = (ellipse / ellipse.sum())[inside]
        edges = np.concatenate([cells - box[:2], box[:2] + box[2:] - cells], axis=-1)
        sides[inside] = np.maximum(edges, NEAREST)[inside]
    return {
        "middles": middles[..., None],
        "sides": sides,
        "shares": shares[..., None],
        "counted": counted[..., None],
    }


def _cell_middles(rows, columns):
    """(rows, columns, 2) x and y of the middle of every cell, in pixels."""
    y, x = np.mgrid[:rows, :columns]
    return (np.stack([x, y], axis=-1) + 0.5) * STRIDE


def _ellipse(box, rows, columns):
    """(rows, columns) float32 Gaussian around a box's middle cell, 0 beyond its reach.

    Three standard deviations, and half a cell, are the reach, as in TTFNet.
    """
    middle = ((box[:2] + box[2:] / 2) // STRIDE).clip(0, [columns - 1, rows - 1])
    reach = np.floor(REACH * box[2:] / 2 / STRIDE)
    deviation = (2 * reach + 1) / 6
    x, y = np.arange(columns) - middle[0], np.arange(rows) - middle[1]
    across = np.exp(-((x / deviation[0]) ** 2) / 2) * (abs(x) <= reach[0])
    down = np.exp(-((y / deviation[1]) ** 2) / 2) * (abs(y) <= reach[1])
    return np.outer(down, across).astype(np.float32)


def sides_in_pixels(raw):
    """Distances to the sides (B, h, w, 4), above 0, of what the network says."""
    return ops.exp(ops.clip(raw, *LOG_LIMITS)) * STRIDE


def graph_decode(outputs):
    """Boxes and scores of every cell, from the network's maps.

    Args:
        outputs: dict of `middles` (B, h, w, 1) logits and `sides` (B, h, w, 4) raw.

    Returns:
        Dict of `boxes` (B, h * w, 4), left, top, right and bottom as fractions of the
        input, and `scores` (B, h * w) in [0, 1].
    """
    rows, columns = outputs["middles"].shape[1:3]
    cells = _cell_middles(rows, columns).reshape(1, -1, 2).astype("float32")
    sides = ops.reshape(sides_in_pixels(outputs["sides"]), (-1, rows * columns, 4))
    size = np.array([columns, rows], "float32") * STRIDE
    low = ops.subtract(cells, sides[..., :2]) / size
    high = ops.add(cells, sides[..., 2:]) / size
    scores = ops.sigmoid(ops.reshape(outputs["middles"], (-1, rows * columns)))
    return {"boxes": ops.concatenate([low, high], axis=-1), "scores": scores}
