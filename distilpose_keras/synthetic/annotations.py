"""COCO annotations of a rendered scene, read off its map of faces."""

import numpy as np
from pycocotools import mask as coco_mask

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.synthetic.render import SUPERSAMPLING

HIDDEN, VISIBLE = 1, 2
PERSON_CATEGORY = {
    "supercategory": "person",
    "id": 1,
    "name": "person",
    "keypoints": list(COCO_17.names),
    # COCO counts a category's keypoints from one.
    "skeleton": [[a + 1, b + 1] for a, b in COCO_17.skeleton],
}
_FACE = [
    i for i, n in enumerate(COCO_17.names) if n.split("_")[-1] in ("nose", "eye", "ear")
]
# How far under its own skin or clothes a keypoint lies, at most, as a fraction of
# stature. A surface that is nearer to the camera by more hides it.
_COVER = {
    "nose": 0.012,
    "eye": 0.010,
    "ear": 0.016,
    "shoulder": 0.070,
    "elbow": 0.045,
    "wrist": 0.032,
    "hip": 0.125,
    "knee": 0.065,
    "ankle": 0.045,
}
_COVERS = np.array([_COVER[name.split("_")[-1]] for name in COCO_17.names])
# Fewer visible pixels than this are nobody an annotator would mark.
_LEAST_AREA = 60


def keypoint_visibility(scene, faces):
    """Project the keypoints of all people and see which are in view.

    A keypoint is visible if, at its pixel or one beside it, the picture shows its own
    person's surface no farther in front of it than skin and clothes are thick. As
    COCO's annotators do, hidden keypoints on the far side of the head are left
    unlabelled; everything else that is hidden (by the body, another person or a thing)
    is labelled hidden.

    Args:
        scene: the `Scene`.
        faces: its `FaceMap`.

    Returns:
        pixels (P, 17, 2) in the picture and flags (P, 17): 2 visible, 1 hidden,
        0 unlabelled or outside the image.
    """
    points = np.stack([person.keypoints for person in scene.people])
    points = scene.camera.to_camera(points)
    pixels = scene.camera.to_pixels(points)
    height, width = scene.camera.size
    inside = (points[..., 2] > 0.1) & (pixels >= -0.5).all(-1)
    inside &= (pixels[..., 0] < width - 0.5) & (pixels[..., 1] < height - 0.5)
    at = np.round((pixels + 0.5) * SUPERSAMPLING - 0.5)
    offsets = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
    near = at[..., None, :] + offsets  # (P, 17, 5, 2)
    rows, columns = faces.index.shape
    x = np.clip(near[..., 0], 0, columns - 1).astype(int)
    y = np.clip(near[..., 1], 0, rows - 1).astype(int)
    shown = faces.index[y, x]  # (P, 17, 5)
    own = faces.owner[shown] == np.arange(len(points))[:, None, None]
    stature = np.array([person.stature for person in scene.people])
    cover = stature[:, None, None] * _COVERS[:, None]
    ahead = points[..., 2, None] - faces.depth[shown]
    seen = (own & (ahead <= cover)).any(-1)
    flags = np.where(seen, VISIBLE, HIDDEN)
    behind_head = np.zeros_like(inside)
    behind_head[:, _FACE] = _turned_away(scene) & ~seen[:, _FACE]
    flags[behind_head | ~inside] = 0
    return pixels, flags


def _turned_away(scene):
    """(P, 5) bool: keypoints of the face on the far side of the head."""
    away = []
    for person in scene.people:
        face = person.keypoints[_FACE]
        centre = person.keypoints[_FACE[-2:]].mean(0)  # between the ears
        outward = face - centre
        away.append(((scene.camera.position - face) * outward).sum(1) < 0)
    return np.array(away)


def silhouettes(scene, faces):
    """(P, H, W) uint8: the pixels where each person is what the picture shows."""
    owner = faces.owner.take(faces.index[::SUPERSAMPLING, ::SUPERSAMPLING])
    return (owner == np.arange(len(scene.people))[:, None, None]).astype(np.uint8)


def _entry(mask_rle, points, flags, identity):
    """One person's COCO annotation, from a mask and pixels (17, 2) with flags (17,)."""
    height, width = mask_rle["size"]
    labelled = flags > 0
    keypoints = np.zeros((17, 3))
    keypoints[labelled, :2] = np.round(points[labelled], 1)
    keypoints[:, :2] = np.clip(keypoints[:, :2], 0, (width - 1, height - 1))
    keypoints[:, 2] = flags
    return identity | {
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [float(value) for value in coco_mask.toBbox(mask_rle)],
        "area": int(coco_mask.area(mask_rle)),
        "num_keypoints": int(labelled.sum()),
        "keypoints": [
            int(value) if value == int(value) else value
            for value in keypoints.ravel().tolist()
        ],
        "segmentation": {
            "size": [int(height), int(width)],
            "counts": mask_rle["counts"].decode("ascii"),
        },
    }


def annotate(scene, faces, image_id):
    """COCO annotations of the people in a scene.

    Boxes, areas and segmentations are those of the visible silhouettes; a
    segmentation is a compressed run-length encoding. People of whom next to nothing
    shows are left out.

    Args:
        scene: the `Scene`.
        faces: its `FaceMap`.
        image_id: the picture's id; annotation ids are ten times that plus a number.

    Returns:
        List of dicts.
    """
    pixels, flags = keypoint_visibility(scene, faces)
    annotations = []
    for number, mask in enumerate(silhouettes(scene, faces)):
        encoded = coco_mask.encode(np.asfortranarray(mask))
        if coco_mask.area(encoded) >= _LEAST_AREA:
            identity = {"id": image_id * 10 + number, "image_id": image_id}
            person = _entry(encoded, pixels[number], flags[number], identity)
            annotations.append(person)
    return annotations


def detect(rng, annotations, image_id, size):
    """Boxes as a person detector would find them: jittered, some missed, some wrong.

    Args:
        rng: numpy random generator.
        annotations: the picture's annotations.
        image_id: the picture's id.
        size: (height, width) of the picture.

    Returns:
        List of dicts in COCO's detection result format.
    """
    height, width = size
    found = []
    for annotation in annotations:
        x, y, w, h = annotation["bbox"]
        if rng.random() < (0.03 if w * h > 900 else 0.25):
            continue
        corners = np.array([x, y, x + w, y + h]) + rng.normal(0, 0.03, 4) * (w, h, w, h)
        found.append((corners, rng.beta(12, 1.2)))
        if rng.random() < 0.08:  # the same person a second time, worse
            again = corners + rng.normal(0, 0.12, 4) * (w, h, w, h)
            found.append((again, rng.uniform(0.05, 0.5)))
    for _ in range(rng.poisson(0.4)):
        middle = rng.uniform((0, 0), (width, height))
        half = rng.uniform(0.03, 0.25) * np.array([height * 0.45, height])
        found.append((np.concatenate([middle - half, middle + half]), rng.beta(1, 6)))
    results = []
    for corners, score in found:
        left, top, right, bottom = np.clip(corners, 0, (width, height, width, height))
        if right - left > 2 and bottom - top > 2:
            box = np.round((left, top, right - left, bottom - top), 2).tolist()
            results.append(
                {
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": box,
                    "score": round(float(score), 4),
                }
            )
    return results
