"""Backgrounds: rooms, streets, fields and clutter behind the synthetic people."""

from functools import lru_cache

import cv2
import numpy as np

from distilpose_keras.synthetic.chance import choose

TILE = 512  # side of a texture tile in pixels


def _octaves(rng, cells):
    """(512, 512) float32 noise in 0..1 from coarse to fine that tiles seamlessly."""
    total = np.zeros((TILE, TILE), np.float32)
    for power, cell in enumerate(cells):
        grid = rng.random((cell, cell)).astype(np.float32)
        padded = np.pad(grid, 2, mode="wrap")
        margin = 2 * TILE // cell
        side = TILE + 2 * margin
        large = cv2.resize(padded, (side, side), interpolation=cv2.INTER_CUBIC)
        total += large[margin : margin + TILE, margin : margin + TILE] / 2**power
    total -= total.min()
    return total / total.max()


def _tint(values, dark, light):
    """(512, 512, 3) uint8: values in 0..1 between two colours."""
    dark, light = np.asarray(dark, np.float32), np.asarray(light, np.float32)
    return np.clip(dark + (light - dark) * values[..., None], 0, 255).astype(np.uint8)


def _bricks(rng):
    colours = rng.uniform(0.3, 1.0, (64, 64)).astype(np.float32)
    rows, columns = np.mgrid[:TILE, :TILE]
    row = rows // 16
    shifted = (columns + 16 * (row % 2)) % TILE
    values = colours[row, shifted // 32]
    values[(rows % 16 < 2) | (shifted % 32 < 2)] = 0.1
    return np.clip(values * 0.8 + 0.2 * _octaves(rng, (64, 128)), 0, 1)


def _planks(rng):
    grain = _octaves(rng, (4, 8, 16))
    grain = cv2.resize(grain[:, ::8].copy(), (TILE, TILE))
    values = 0.5 * np.sin(grain * 30) ** 2 * 0.4 + 0.5
    board = rng.uniform(-0.25, 0.25, 16).astype(np.float32)
    columns = np.arange(TILE)
    values += board[columns // 32]
    values[:, columns % 32 < 1] = 0.1
    return np.clip(values, 0, 1).astype(np.float32)


def _flagstones(rng):
    values = 0.6 + 0.4 * _octaves(rng, (8, 32, 64))
    values *= 0.8 + 0.2 * np.kron(rng.random((8, 8)), np.ones((64, 64)))
    lines = np.arange(TILE) % 64 < 2
    values[lines] = values[:, lines] = 0.2
    return values.astype(np.float32)


def _clutter(rng):
    """Shapes of all sizes and colours, like shelves, signs and crowds out of focus."""
    tile = _tint(
        _octaves(rng, (4, 8, 16)), rng.uniform(0, 120, 3), rng.uniform(90, 250, 3)
    )
    for _ in range(220):
        colour = tuple(map(float, rng.uniform(10, 245, 3)))
        x, y = map(int, rng.integers(0, TILE, 2))
        w, h = map(int, rng.uniform(6, 70, 2))
        kind = rng.integers(4)
        if kind == 0:
            cv2.rectangle(tile, (x, y), (x + w, y + h), colour, -1)
        elif kind == 1:
            angle = float(rng.uniform(0, 180))
            cv2.ellipse(tile, (x, y), (w // 2, h // 2), angle, 0, 360, colour, -1)
        elif kind == 2:
            corners = (x, y) + rng.normal(0, 22, (4, 2))
            cv2.fillConvexPoly(tile, cv2.convexHull(corners.astype(np.int32)), colour)
        else:
            end = (x + int(rng.normal(0, 90)), y + int(rng.normal(0, 90)))
            cv2.line(tile, (x, y), end, colour, int(rng.integers(1, 9)))
    grain = (_octaves(rng, (128, 256))[..., None] * 40 - 20).astype(np.int16)
    return np.clip(tile + grain, 0, 255).astype(np.uint8)


@lru_cache(maxsize=2)
def texture_tiles(seed):
    """Texture tiles by kind, each (512, 512, 3) uint8; made once per process.

    Args:
        seed: the data set's seed; the same seed gives the same tiles.
    """
    rng = np.random.default_rng((seed, 512))
    soft = [_octaves(rng, (2, 4, 8, 16, 64, 128)) for _ in range(2)]
    fine = _octaves(rng, (32, 64, 128, 256))
    leaves = np.clip(_octaves(rng, (16, 32, 64)) * 2.2 - 0.6, 0, 1)
    return {
        "ground": [
            _tint(0.4 * soft[0] + 0.6 * fine, (40, 60, 20), (130, 150, 80)),  # grass
            _tint(0.5 * soft[1] + 0.5 * fine, (70, 70, 72), (150, 148, 146)),  # asphalt
            _tint(0.6 * soft[0] + 0.4 * fine, (150, 120, 84), (226, 204, 168)),  # sand
            _tint(_planks(rng), (80, 50, 30), (196, 150, 100)),
            _tint(_flagstones(rng), (90, 86, 84), (214, 208, 200)),
            _tint(_bricks(rng), (80, 60, 60), (190, 160, 150)),
            _tint(soft[1], (90, 30, 30), (170, 80, 70)),  # carpet
        ],
        "wall": [
            _tint(0.2 * soft[0] + 0.1 * fine, (170, 165, 158), (255, 250, 245)),
            _tint(_bricks(rng), (90, 76, 70), (190, 110, 90)),
            _tint(_planks(rng), (110, 84, 60), (210, 180, 140)),
            _tint(
                np.tile(np.arange(TILE) % 64 < 32, (TILE, 1)) * 0.7 + 0.3 * fine,
                (120, 120, 130),
                (210, 205, 190),
            ),
            _tint(soft[1], (60, 80, 100), (150, 170, 180)),
        ],
        "foliage": [
            _tint(leaves, (14, 28, 10), (110, 140, 60)),
            _tint(0.5 * leaves + 0.5 * soft[0], (30, 40, 20), (150, 150, 80)),
        ],
        "sky": [
            _tint(soft[0], (96, 150, 214), (236, 240, 244)),
            _tint(soft[1], (150, 158, 168), (226, 228, 230)),
        ],
        "clutter": [_clutter(rng) for _ in range(4)],
        "cloth": (fine * 255).astype(np.uint8),
        "noise": np.clip(rng.normal(128, 40, (TILE, TILE, 3)), 0, 255).astype(np.uint8),
    }


def _pick(rng, tiles):
    return tiles[rng.integers(len(tiles))]


def crop(rng, tile, height, width):
    """A random (height, width) window of a tile, mirrored or not, as a view."""
    while tile.shape[0] < height or tile.shape[1] < width:
        tile = np.tile(tile, (2, 2) + (1,) * (tile.ndim - 2))
    y = rng.integers(0, tile.shape[0] - height + 1)
    x = rng.integers(0, tile.shape[1] - width + 1)
    window = tile[y : y + height, x : x + width]
    return window[:, ::-1] if rng.random() < 0.5 else window


def _paste(image, rng, tile, top, bottom, left, right):
    """Fill a rectangle of the image, clipped to it, with a window of a tile."""
    height, width = image.shape[:2]
    top, bottom = np.clip((top, bottom), 0, height).astype(int)
    left, right = np.clip((left, right), 0, width).astype(int)
    if bottom > top and right > left:
        image[top:bottom, left:right] = crop(rng, tile, bottom - top, right - left)


def _horizon(camera):
    """Row of the horizon in the middle of the image."""
    down = -camera.rotation[:, 1]  # world down in camera axes
    height = camera.size[0]
    if abs(down[1]) < 1e-6:
        return height / 2
    return height / 2 - camera.focal * down[2] / down[1]


def _draw_ground(image, rng, camera, tile, top):
    """Lay a tile on the ground plane below row ``top``, in perspective."""
    height, width = camera.size
    top = int(np.clip(top, 0, height))
    if top >= height:
        return
    metres = rng.uniform(2.0, 5.0) / TILE  # metres per tile pixel
    # Ground (x, z) -> camera: rotation of (x, 0, z) minus the camera's position.
    plane = np.stack(
        [
            camera.rotation[:, 0] * metres,
            camera.rotation[:, 2] * metres,
            -camera.rotation @ camera.position,
        ],
        1,
    )
    lens = np.array(
        [[camera.focal, 0, width / 2], [0, camera.focal, height / 2 - top], [0, 0, 1]]
    )
    shift = np.array(
        [[1, 0, -rng.uniform(0, TILE)], [0, 1, -rng.uniform(0, TILE)], [0, 0, 1]]
    )
    image[top:] = cv2.warpPerspective(
        tile,
        lens @ plane @ shift,
        (width, height - top),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_WRAP,
    )
    # Far ground flickers when sampled by the pixel: blur it more, the farther it is.
    for rows, size in ((height // 3, 3), (height // 8, 7)):
        strip = image[top : top + rows]
        if len(strip) > 1:
            strip[:] = cv2.blur(strip, (size + 2, size))


def _indoors(image, rng, camera, tiles, horizon):
    height, width = image.shape[:2]
    _paste(image, rng, _pick(rng, tiles["wall"]), 0, height, 0, width)
    floor = horizon + rng.uniform(0.08, 0.3) * height
    unit = rng.uniform(0.15, 0.35) * height
    for _ in range(rng.integers(1, 5)):  # pictures, windows, shelves, doors
        left, top = rng.uniform(-0.1, 0.95) * width, floor - rng.uniform(1, 3.5) * unit
        right, bottom = (
            left + rng.uniform(0.5, 2) * unit,
            top + rng.uniform(0.6, 2) * unit,
        )
        frame = (int(left), int(top)), (int(right), int(min(bottom, floor)))
        tile = _pick(rng, tiles[("clutter", "sky", "foliage", "wall")[rng.integers(4)]])
        _paste(image, rng, tile, frame[0][1], frame[1][1], frame[0][0], frame[1][0])
        colour = tuple(map(float, rng.uniform(20, 240, 3)))
        cv2.rectangle(image, *frame, colour, int(rng.integers(1, 5)))
    _draw_ground(image, rng, camera, _pick(rng, tiles["ground"][3:]), floor)


def _outdoors(image, rng, camera, tiles, horizon):
    height, width = image.shape[:2]
    _paste(image, rng, _pick(rng, tiles["sky"]), 0, height, 0, width)
    for _ in range(rng.integers(1, 6)):  # houses
        left = rng.uniform(-0.2, 0.9) * width
        top = horizon - rng.uniform(0.1, 0.7) * height
        right = left + rng.uniform(0.15, 0.5) * width
        _paste(image, rng, _pick(rng, tiles["wall"]), top, horizon + 9, left, right)
        step = int(rng.integers(10, 26))
        pane = tuple(map(float, rng.uniform(30, 160, 3)))
        for y in range(int(top) + step // 2, int(min(horizon, height)), step):
            for x in range(int(left) + step // 3, int(right) - step // 2, step):
                cv2.rectangle(image, (x, y), (x + step // 2, y + step // 2), pane, -1)
    if rng.random() < 0.7:  # a hedge or the edge of a wood
        top = horizon - rng.uniform(0.03, 0.35) * height
        mask = np.zeros((height, width), np.uint8)
        for x in np.arange(-20, width + 20, max(8, width // 14)):
            centre = (int(x), int(top + rng.uniform(0, 0.15) * height))
            cv2.circle(mask, centre, int(rng.uniform(0.04, 0.13) * width), 255, -1)
        mask[int(np.clip(top + 0.12 * height, 0, height)) :] = 255
        cv2.copyTo(
            crop(rng, _pick(rng, tiles["foliage"]), height, width).copy(), mask, image
        )
    _draw_ground(image, rng, camera, _pick(rng, tiles["ground"][:6]), horizon + 2)


def _cluttered(image, rng, camera, tiles, horizon):
    del camera, horizon
    height, width = image.shape[:2]
    _paste(image, rng, _pick(rng, tiles["clutter"]), 0, height, 0, width)
    kinds = ("clutter", "wall", "foliage", "ground")
    for _ in range(rng.integers(0, 5)):
        left, top = rng.uniform(-0.2, 0.9) * width, rng.uniform(-0.2, 0.9) * height
        right, bottom = left + rng.uniform(20, width), top + rng.uniform(20, height)
        tile = _pick(rng, tiles[kinds[rng.integers(4)]])
        _paste(image, rng, tile, top, bottom, left, right)


def draw_background(rng, camera, seed):
    """Draw what is behind the people.

    Args:
        rng: numpy random generator.
        camera: the `Camera`; ground and horizon follow it.
        seed: the data set's seed, which the texture tiles belong to.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    tiles = texture_tiles(seed)
    image = np.empty((*camera.size, 3), np.uint8)
    painter = choose(rng, (_indoors, _outdoors, _cluttered), (0.42, 0.43, 0.15))
    painter(image, rng, camera, tiles, _horizon(camera))
    # One tile serves many pictures: turn its colours and brightness.
    gain = rng.uniform(0.5, 1.15) * rng.uniform(0.85, 1.15, 3)
    levels = np.arange(256)[:, None] * gain + rng.uniform(-10, 25)
    table = np.clip(levels, 0, 255).astype(np.uint8)[:, None, :]
    return cv2.LUT(image, table)
