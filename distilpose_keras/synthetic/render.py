"""Draws a scene: a map of which face each pixel shows, then light and colour.

The map decides everything that is said about the picture: colours, silhouettes, and
which keypoints are visible.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from distilpose_keras.synthetic.backgrounds import (
    crop,
    draw_background,
    texture_tiles,
)
from distilpose_keras.synthetic.mesh import body_template
from distilpose_keras.synthetic.skeleton import BONE, PARENTS

SUPERSAMPLING = 2  # the map has twice the picture's resolution, against jagged edges
_SHIFT = 3  # fractional bits of polygon corners
_NEAR = 0.25  # metres; nothing nearer to the camera is drawn
_LEAST_FACE = 0.5  # map pixels; the faces around a smaller one cover its place
SOLID = -1  # owner of a face that belongs to nobody
_LIGHT_UNIT = 140  # a shade of 1 as stored in eight bits


@dataclass
class FaceMap:
    """Which face every pixel shows.

    Attributes:
        index: (2H, 2W) int32, 0 for the background, else 1 + number of the face.
        owner: (F + 1,) int16 by index: number of the person, or SOLID.
        depth: (F + 1,) float32 by index: metres from the camera, background infinite.
        albedo: (F + 1, 3) RGB of the unlit face.
        shade: (F + 1,) light that falls on it, 1 for full light.
        weave: (F + 1,) strength of the fabric's texture, 0 to 1.
        window: (top, bottom, left, right) in picture pixels around all faces drawn.
    """

    index: np.ndarray
    owner: np.ndarray
    depth: np.ndarray
    albedo: np.ndarray
    shade: np.ndarray
    weave: np.ndarray
    window: tuple[int, int, int, int]


def _visible_faces(points, quads, camera):
    """Those of the faces that turn to the camera and lie in the picture.

    Args:
        points: (V, 3) float32 in camera coordinates.
        quads: (F, 4) vertex indices.
        camera: the `Camera`.

    Returns:
        Numbers of the faces (N,), their corners in map pixels (N, 4, 2) and in camera
        coordinates (N, 4, 3).
    """
    pixels = (camera.to_pixels(points) + 0.5) * SUPERSAMPLING - 0.5
    x, y = pixels.T
    a, b, c, d = quads.T
    # Anticlockwise seen from outside turns clockwise with y down: a negative area.
    twice_area = (x[c] - x[a]) * (y[d] - y[b]) - (y[c] - y[a]) * (x[d] - x[b])
    height, width = np.array(camera.size) * SUPERSAMPLING
    margin = 0.4 * width  # a face reaches no farther than this from its corner
    near = (x[a] > -margin) & (x[a] < width + margin)
    near &= (y[a] > -margin) & (y[a] < height + margin)
    deep = points[:, 2] > _NEAR
    seen = (
        near & (twice_area < -2 * _LEAST_FACE) & deep[a] & deep[b] & deep[c] & deep[d]
    )
    (numbers,) = seen.nonzero()
    corners = quads[numbers]
    return numbers, pixels[corners], points[corners]


def _collect(scene):
    """Visible faces of the scene: pixels, corners, owner, albedo, weave and bias."""
    template, camera = body_template(), scene.camera
    parts = []
    for number, person in enumerate(scene.people):
        points = camera.to_camera(person.vertices)
        (worn,) = person.outfit.worn.nonzero()
        seen, pixels, corners = _visible_faces(points, template.faces[worn], camera)
        seen = worn[seen]
        owner = np.full(len(seen), number, np.int16)
        outfit = person.outfit
        surface = outfit.colours[seen], outfit.weave[seen], template.bias[seen]
        parts.append((pixels, corners, owner, *surface))
    for solid in scene.solids:
        points = camera.to_camera(solid.faces.reshape(-1, 3).astype(np.float32))
        quads = np.arange(len(points)).reshape(-1, 4)
        seen, pixels, corners = _visible_faces(points, quads, camera)
        count = len(seen)
        owner = np.full(count, SOLID, np.int16)
        surface = solid.colours[seen], np.full(count, 0.5), np.zeros(count)
        parts.append((pixels, corners, owner, *surface))
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def map_faces(scene):
    """Find the front face of every pixel.

    Args:
        scene: a `Scene`.

    Returns:
        A `FaceMap`.
    """
    pixels, corners, owner, albedo, weave, bias = _collect(scene)
    depth = corners[:, :, 2] @ np.full(4, 0.25, np.float32)
    order = np.argsort(bias - depth)  # the farthest first
    polygons = np.round(pixels[order] * (1 << _SHIFT)).astype(np.int32)
    height, width = scene.camera.size
    index = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.int32)
    draw, line = cv2.fillConvexPoly, cv2.LINE_8
    for number, polygon in enumerate(polygons, start=1):
        draw(index, polygon, number, line, _SHIFT)

    def table(values, background):
        return np.concatenate([np.full_like(values[:1], background), values[order]])

    return FaceMap(
        index=index,
        owner=table(owner, SOLID),
        depth=table(depth, np.inf),
        albedo=table(albedo, 0),
        shade=table(_shade(corners, scene), 0),
        weave=table(weave, 0),
        window=_window(pixels, scene.camera.size),
    )


def _window(pixels, size):
    """Picture rows and columns around corners (F, 4, 2) in map pixels."""
    if not len(pixels):
        return 0, 0, 0, 0
    x, y = pixels.reshape(-1, 2).T / SUPERSAMPLING
    top, bottom = np.clip((y.min() - 3, y.max() + 4), 0, size[0]).astype(int)
    left, right = np.clip((x.min() - 3, x.max() + 4), 0, size[1]).astype(int)
    return top, bottom, left, right


def _shade(corners, scene):
    """(F,) brightness of faces (F, 4, 3) under the scene's light."""
    (ax, ay, az), (bx, by, bz) = (
        (corners[:, 2] - corners[:, 0]).T,
        (corners[:, 3] - corners[:, 1]).T,
    )
    normals = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)
    normals /= np.sqrt((normals * normals) @ np.ones(3, np.float32))[:, None] + 1e-9
    rotation = scene.camera.rotation.astype(np.float32)
    direct = np.maximum(normals @ (rotation @ scene.light), 0)
    return 0.50 + 0.14 * (normals @ rotation[:, 1]) + 0.60 * direct


def _draw_shadows(image, scene):
    """Darken the ground under the people, away from the light, in place."""
    height, width = scene.camera.size
    mask = np.zeros((height // 2, width // 2), np.uint8)
    for person in scene.people:
        drop = person.bones[:, 1:2] / max(scene.light[1], 0.45)
        flat = (person.bones - drop * scene.light) * (1, 0, 1)
        points = scene.camera.to_camera(flat)
        if points[:, 2].min() < _NEAR:
            continue
        pixels = np.round(scene.camera.to_pixels(points) * 4).astype(int)
        size = max(1, round(0.06 * scene.camera.focal / points[:, 2].mean()))
        lines = [
            np.stack([pixels[bone], pixels[parent]])
            for bone, parent in enumerate(PARENTS[1:], start=1)
        ]
        cv2.polylines(mask, lines, False, 110, size, cv2.LINE_8, 3)
        head = tuple(map(int, pixels[BONE["head"]]))
        cv2.circle(mask, head, 6 * size, 110, -1, cv2.LINE_8, 3)
    left, top, wide, high = cv2.boundingRect(mask)
    if not wide:
        return
    rows = slice(max(2 * top - 8, 0), min(2 * (top + high) + 8, height))
    columns = slice(max(2 * left - 8, 0), min(2 * (left + wide) + 8, width))
    mask = cv2.resize(255 - cv2.blur(mask, (5, 5)), (width, height))
    part = image[rows, columns]
    mask = cv2.merge([mask[rows, columns]] * 3)
    cv2.multiply(part, mask, dst=part, scale=1 / 255)


def _light_and_colour(rng, image, faces, seed):
    """Lay the lit faces over the background, in place."""
    top, bottom, left, right = faces.window
    if bottom <= top or right <= left:
        return
    size = (right - left, bottom - top)
    step = SUPERSAMPLING
    index = faces.index[top * step : bottom * step, left * step : right * step]
    rgba = np.zeros((len(faces.owner), 4), np.uint8)
    rgba[:, :3] = faces.albedo
    rgba[1:, 3] = 255
    coloured = rgba.view(np.uint32)[:, 0].take(index).view(np.uint8)
    coloured = coloured.reshape(*index.shape, 4)
    coloured = cv2.resize(coloured, size, interpolation=cv2.INTER_AREA)
    # Light varies smoothly over the skin: blurring the faces' shades within the
    # silhouettes hides that the mesh is made of flat faces.
    light = np.zeros_like(rgba)
    light[:, 0] = np.clip(faces.shade * _LIGHT_UNIT, 0, 255)
    light[1:, 1] = 255
    light[:, 2] = faces.weave * 60
    light = light.view(np.uint32)[:, 0].take(index[::step, ::step]).view(np.uint8)
    light = light.reshape(*size[::-1], 4)
    blur = 1 + 2 * max(1, round(image.shape[1] / 300))
    smooth = cv2.blur(light, (blur, blur)).astype(np.float32)
    gain = smooth[..., 0] / np.maximum(smooth[..., 1], 16) * (255 / _LIGHT_UNIT)
    cloth = crop(rng, texture_tiles(seed)["cloth"], *size[::-1])
    weave = cv2.multiply(light[..., 2], cloth, scale=1 / 128)  # 0 to twice as strong
    gain *= 1 + (weave - smooth[..., 2]) * np.float32(1 / 255)
    front = cv2.multiply(coloured[..., :3], cv2.merge([gain] * 3), dtype=cv2.CV_8U)
    part = image[top:bottom, left:right]
    clear = cv2.merge([255 - coloured[..., 3]] * 3)
    part[:] = cv2.add(front, cv2.multiply(part, clear, scale=1 / 255))


def _photograph(rng, image, seed):
    """Exposure, colour cast, vignette, blur and sensor noise."""
    height, width = image.shape[:2]
    gamma, contrast = rng.uniform(0.65, 1.2), rng.uniform(0.75, 1.15)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma
    levels = (levels - 0.5) * contrast + 0.5 + rng.uniform(-0.06, 0.1)
    levels = levels * rng.uniform(0.92, 1.08, 3) * 255
    image = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)[:, None, :])
    if rng.random() < 0.3:
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)
        fall = 255 - np.float32(rng.uniform(25, 90)) * (x * x + y * y)
        fall = cv2.merge([fall.astype(np.uint8)] * 3)
        image = cv2.multiply(image, fall, scale=1 / 255)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 1.0))
    if rng.random() < 0.6:
        noise = crop(rng, texture_tiles(seed)["noise"], height, width)
        strength = rng.uniform(0.02, 0.25)
        image = cv2.addWeighted(image, 1, noise, strength, -128 * strength)
    return image


def draw_scene(rng, scene, faces, seed):
    """Colour a scene whose faces have been mapped.

    Args:
        rng: numpy random generator.
        scene: the `Scene`.
        faces: its `FaceMap`.
        seed: the data set's seed, which the texture tiles belong to.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    image = draw_background(rng, scene.camera, seed)
    _draw_shadows(image, scene)
    _light_and_colour(rng, image, faces, seed)
    return _photograph(rng, image, seed)
