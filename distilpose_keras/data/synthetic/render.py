"""Draws a scene: a map of which face each pixel shows, then light and colour.

The map decides everything that is said about the picture: colours, silhouettes, and
which keypoints are visible.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from distilpose_keras.data.synthetic.backgrounds import (
    crop,
    draw_background,
    texture_tiles,
)
from distilpose_keras.data.synthetic.body import body_template
from distilpose_keras.data.synthetic.skeleton import BONE, PARENTS

SUPERSAMPLING = 2  # the map has twice the picture's resolution, against jagged edges
_SHIFT = 3  # fractional bits of polygon corners
_NEAR = 0.25  # metres; nothing nearer to the camera is drawn
SOLID = -1  # owner of a face that belongs to nobody


@dataclass
class FaceMap:
    """Which face every pixel shows.

    Attributes:
        index: (2H, 2W) int32, 0 for the background, else 1 + number of the face.
        owner: (F + 1,) int16 by index: number of the person, or SOLID.
        depth: (F + 1,) float32 by index: metres from the camera, background infinite.
        albedo: (F + 1, 3) RGB of the unlit face.
        shade: (F + 1,) light that falls on it.
        weave: (F + 1,) strength of the fabric's texture.
    """

    index: np.ndarray
    owner: np.ndarray
    depth: np.ndarray
    albedo: np.ndarray
    shade: np.ndarray
    weave: np.ndarray


def _collect(scene):
    """Faces of the scene in camera coordinates with owner, colour, weave and bias."""
    template = body_template()
    parts = []
    for number, person in enumerate(scene.people):
        worn = person.outfit.worn
        corners = scene.camera.to_camera(person.vertices).astype(np.float32)
        parts.append(
            (
                corners[template.faces[worn]],
                np.full(worn.sum(), number, np.int16),
                person.outfit.colours[worn],
                person.outfit.weave[worn],
                template.bias[worn],
            )
        )
    for solid in scene.solids:
        count = len(solid.faces)
        corners = scene.camera.to_camera(solid.faces).astype(np.float32)
        owner = np.full(count, SOLID, np.int16)
        parts.append(
            (corners, owner, solid.colours, np.full(count, 0.5), np.zeros(count))
        )
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _front_faces(corners, camera):
    """Corners in map pixels (F, 4, 2) and the faces that can be seen, far to near."""
    pixels = camera.to_pixels(corners)
    pixels = (pixels + 0.5) * SUPERSAMPLING - 0.5
    first, second = pixels[:, 2] - pixels[:, 0], pixels[:, 3] - pixels[:, 1]
    # Anticlockwise seen from outside turns clockwise with y down: a negative area.
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    height, width = np.array(camera.size) * SUPERSAMPLING
    low, high = pixels.min(1), pixels.max(1)
    inside = (high > 0).all(1) & (low[:, 0] < width) & (low[:, 1] < height)
    seen = (area < 0) & inside & (corners[:, :, 2].min(1) > _NEAR)
    return pixels, seen


def map_faces(scene):
    """Find the front face of every pixel.

    Args:
        scene: a `Scene`.

    Returns:
        A `FaceMap`.
    """
    corners, owner, albedo, weave, bias = _collect(scene)
    pixels, seen = _front_faces(corners, scene.camera)
    (chosen,) = seen.nonzero()
    depth = corners[chosen, :, 2].mean(1)
    chosen = chosen[np.argsort(bias[chosen] - depth)]
    polygons = np.round(pixels[chosen] * (1 << _SHIFT)).astype(np.int32)
    height, width = scene.camera.size
    index = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.int32)
    draw, line = cv2.fillConvexPoly, cv2.LINE_8
    for number, polygon in enumerate(polygons, start=1):
        draw(index, polygon, number, line, _SHIFT)

    def table(values, background):
        return np.concatenate([np.full_like(values[:1], background), values[chosen]])

    return FaceMap(
        index=index,
        owner=table(owner, SOLID),
        depth=table(corners[:, :, 2].mean(1), np.inf),
        albedo=table(albedo, 0),
        shade=table(_shade(corners, scene), 0),
        weave=table(weave, 0),
    )


def _shade(corners, scene):
    """(F,) brightness of faces (F, 4, 3) under the scene's light."""
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    light = scene.camera.rotation @ scene.light
    up = scene.camera.rotation[:, 1]
    direct = np.clip(normals @ light, 0, None)
    return 0.48 + 0.14 * (normals @ up) + 0.55 * direct


def _draw_shadows(image, scene):
    """Darken the ground under the people, along the light."""
    height, width = scene.camera.size
    mask = np.zeros((height // 2, width // 2), np.uint8)
    for person in scene.people:
        drop = person.bones[:, 1:2] / max(scene.light[1], 0.45)
        flat = (person.bones - drop * scene.light) * (1, 0, 1)
        points = scene.camera.to_camera(flat)
        if points[:, 2].min() < _NEAR:
            continue
        pixels = np.round(scene.camera.to_pixels(points) / 2 * 8).astype(int)
        size = 0.13 * scene.camera.focal / points[:, 2].mean()
        for bone in range(1, len(PARENTS)):
            ends = pixels[bone], pixels[PARENTS[bone]]
            cv2.line(mask, *map(tuple, ends), 150, max(1, int(size)), cv2.LINE_8, 3)
        if "head" in BONE:
            centre = tuple(pixels[BONE["head"]])
            cv2.circle(mask, centre, max(8, int(size * 6)), 150, -1, cv2.LINE_8, 3)
    mask = 255 - cv2.blur(mask, (5, 5))
    mask = cv2.resize(mask, (width, height))
    return cv2.multiply(image, cv2.merge([mask] * 3), scale=1 / 255)


def _light_and_colour(rng, background, faces, seed):
    """Blend the lit faces over the background: (H, W, 3) uint8."""
    height, width = background.shape[:2]
    rgba = np.zeros((len(faces.owner), 4), np.uint8)
    rgba[:, :3] = faces.albedo
    rgba[1:, 3] = 255
    coloured = rgba.view(np.uint32)[:, 0].take(faces.index).view(np.uint8)
    coloured = coloured.reshape(*faces.index.shape, 4)
    coloured = cv2.resize(coloured, (width, height), interpolation=cv2.INTER_AREA)
    # Light varies smoothly over the skin: blurring the faces' shades within the
    # silhouettes hides that the mesh is made of flat faces.
    light = np.zeros((len(faces.owner), 3), np.float32)
    light[:, 0] = faces.shade
    light[1:, 1] = 1
    light[:, 2] = faces.weave
    sampled = light[faces.index[::SUPERSAMPLING, ::SUPERSAMPLING]]
    smooth = cv2.blur(sampled[..., :2], (3, 3))
    cloth = crop(rng, texture_tiles(seed)["cloth"], height, width)
    gain = smooth[..., 0] / np.maximum(smooth[..., 1], 0.05)
    gain *= 1 + 0.25 * sampled[..., 2] * cloth
    alpha = coloured[..., 3]
    front = cv2.multiply(coloured[..., :3], cv2.merge([gain] * 3), dtype=cv2.CV_8U)
    behind = cv2.multiply(background, cv2.merge([255 - alpha] * 3), scale=1 / 255)
    return cv2.add(front, behind)


def _photograph(rng, image, seed):
    """Exposure, colour cast, vignette, blur and sensor noise."""
    height, width = image.shape[:2]
    gamma, contrast = rng.uniform(0.75, 1.35), rng.uniform(0.75, 1.15)
    cast = rng.uniform(0.92, 1.08, 3)
    levels = (np.arange(256)[:, None] / 255) ** gamma
    levels = (levels - 0.5) * contrast + 0.5 + rng.uniform(-0.08, 0.08)
    table = np.clip(levels * cast * 255, 0, 255).astype(np.uint8)[:, None, :]
    image = cv2.LUT(image, table)
    if rng.random() < 0.3:
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)
        fall = 1 - np.float32(rng.uniform(0.1, 0.35)) * (x * x + y * y)
        image = cv2.multiply(image, cv2.merge([fall] * 3), dtype=cv2.CV_8U)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 1.0))
    if rng.random() < 0.6:
        noise = crop(rng, texture_tiles(seed)["noise"], height, width)
        strength = rng.uniform(0.02, 0.3)
        image = cv2.addWeighted(image, 1, noise, strength, 0, dtype=cv2.CV_8U)
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
    background = draw_background(rng, scene.camera, seed)
    background = _draw_shadows(background, scene)
    image = _light_and_colour(rng, background, faces, seed)
    return _photograph(rng, image, seed)
