"""Visibility, boxes and areas follow from what a picture shows."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from distilpose_keras.keypoints import COCO_17
from distilpose_keras.synthetic.annotations import annotate, detect
from distilpose_keras.synthetic.body import pose_body
from distilpose_keras.synthetic.clothing import sample_outfit
from distilpose_keras.synthetic.objects import block
from distilpose_keras.synthetic.pose import Pose
from distilpose_keras.synthetic.render import map_faces
from distilpose_keras.synthetic.scene import Camera, Person, Scene
from distilpose_keras.synthetic.skeleton import BONES, Physique, turn_about_y

K = {name: i for i, name in enumerate(COCO_17.names)}
SIZE = (240, 320)


def person(turn=0.0, place=(0, 0, 0), reach=0):
    """Somebody standing with the arms a little out; turn 0 faces the camera.

    ``reach`` lifts the arms forward, in degrees.
    """
    physique = Physique(1.75, np.ones((len(BONES), 3)), belly=0.0, bust=0.0)
    pose = Pose("standing")
    for side in ("left", "right"):
        pose.set(f"{side}_upper_arm", flexion=reach, sideways=25)
    outfit = sample_outfit(np.random.default_rng(0))
    vertices, keypoints, bones = pose_body(
        physique, pose, outfit.thickness, turn_about_y(turn)
    )
    place = np.array(place, float)
    return Person(
        (vertices + place).astype(np.float32),
        keypoints + place,
        bones + place,
        1.75,
        outfit,
        "standing",
    )


def annotations(*people, solids=()):
    """Annotate a view from 4 m in front of the origin, at chest height."""
    camera = Camera(np.diag([1.0, -1.0, -1.0]), np.array([0, 1.0, 4.0]), 400.0, SIZE)
    scene = Scene(camera, list(people), list(solids), np.array([0.0, 1.0, 0.0]))
    return annotate(scene, map_faces(scene), image_id=7)


def keypoints(annotation):
    points = np.array(annotation["keypoints"], float).reshape(17, 3)
    return points[:, :2], points[:, 2]


def test_somebody_who_faces_the_camera_is_wholly_visible():
    (annotation,) = annotations(person())
    points, flags = keypoints(annotation)
    assert (flags == 2).all()
    assert annotation["num_keypoints"] == 17
    # A hand-made projection: 400 px per metre at 4 m, the camera 1 m up.
    nose = person().keypoints[K["nose"]]
    expected = 119.5 - 400 * (nose[1] - 1.0) / (4 - nose[2])
    assert points[K["nose"]] == pytest.approx((159.5, expected), abs=0.1)


def test_left_and_right_swap_when_the_body_turns():
    for turn, sign in ((0, 1), (180, -1)):
        (annotation,) = annotations(person(turn))
        points, _ = keypoints(annotation)
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            across = points[K[f"left_{joint}"], 0] - points[K[f"right_{joint}"], 0]
            assert sign * across > 5, joint


def test_the_face_is_unlabelled_when_the_head_looks_away():
    (annotation,) = annotations(person(turn=180))
    points, flags = keypoints(annotation)
    for name in ("nose", "left_eye", "right_eye"):
        assert flags[K[name]] == 0
        assert (points[K[name]] == 0).all()
    for joint in ("shoulder", "elbow", "knee", "ankle"):
        assert flags[K[f"left_{joint}"]] == 2  # joints show from behind, too


@pytest.mark.parametrize(
    "turn, near, far", [(90, "right", "left"), (-90, "left", "right")]
)
def test_a_side_view_hides_the_far_side(turn, near, far):
    (annotation,) = annotations(person(turn, reach=90))
    _, flags = keypoints(annotation)
    assert flags[K[f"{near}_ear"]] == 2
    assert flags[K[f"{far}_ear"]] == 0  # behind the own head
    assert flags[K[f"{near}_hip"]] == 2
    assert flags[K[f"{far}_hip"]] == 1  # behind the own body
    assert flags[K["nose"]] == 2


def test_who_stands_behind_somebody_is_labelled_hidden():
    front, behind = annotations(person(), person(place=(0.03, 0, -1.0)))
    assert (keypoints(front)[1] == 2).all()
    _, flags = keypoints(behind)
    for name in ("nose", "right_hip", "right_knee", "right_shoulder"):
        assert flags[K[name]] == 1, name
    assert behind["area"] < 0.5 * front["area"]


def test_who_is_not_seen_at_all_is_not_annotated():
    assert len(annotations(person(), person(turn=180, place=(0, 0, -0.02)))) == 2
    rng = np.random.default_rng(0)
    wall = block(rng, (-3, 0, 0.9), (3, 2.5, 1.0), (90, 90, 90))
    assert annotations(person(), solids=[wall]) == []


def test_things_in_front_hide():
    rng = np.random.default_rng(0)
    crate = block(rng, (-0.6, 0, 0.6), (0.6, 0.8, 1.0), (120, 90, 60))
    (whole,) = annotations(person())
    (annotation,) = annotations(person(), solids=[crate])
    _, flags = keypoints(annotation)
    assert (flags[[K["left_knee"], K["right_knee"], K["left_ankle"]]] == 1).all()
    assert (flags[: K["left_elbow"]] == 2).all()
    assert annotation["bbox"][3] < whole["bbox"][3] - 50


def test_a_covered_face_that_looks_at_the_camera_is_labelled_hidden():
    rng = np.random.default_rng(0)
    sign = block(rng, (-0.3, 1.4, 0.6), (0.3, 1.9, 0.7), (200, 30, 30))
    for turn, flag in ((0, 1), (180, 0)):
        (annotation,) = annotations(person(turn), solids=[sign])
        _, flags = keypoints(annotation)
        assert (flags[[K["nose"], K["left_eye"], K["right_eye"]]] == flag).all()


def test_the_border_cuts_people():
    (annotation,) = annotations(person(place=(1.65, 0, 0)))
    points, flags = keypoints(annotation)
    assert flags[K["left_wrist"]] == 0 and flags[K["right_wrist"]] == 2
    assert (points[flags == 0] == 0).all()
    x, _, width, _ = annotation["bbox"]
    assert x + width == SIZE[1]
    assert annotation["num_keypoints"] == (flags > 0).sum() < 17


def test_boxes_and_areas_are_those_of_the_silhouette():
    for annotation in annotations(person(), person(turn=40, place=(0.5, 0, -1.0))):
        mask = coco_mask.decode(annotation["segmentation"])
        assert mask.shape == SIZE
        assert annotation["area"] == mask.sum()
        rows, columns = mask.nonzero()
        x, y, width, height = annotation["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width - 1, y + height - 1) == (columns.max(), rows.max())


def test_visible_keypoints_lie_on_the_silhouette():
    for turn in range(0, 360, 30):
        (annotation,) = annotations(person(turn))
        mask = coco_mask.decode(annotation["segmentation"])
        grown = np.pad(mask, 1).astype(bool)
        grown = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
        points, flags = keypoints(annotation)
        columns, rows = np.round(points[flags == 2]).astype(int).T
        assert (grown | mask.astype(bool))[rows, columns].all()


def test_detections_find_most_people_roughly():
    rng = np.random.default_rng(0)
    people = annotations(person())
    hits, extra = 0, 0
    for _ in range(100):
        found = detect(rng, people, 7, SIZE)
        boxes = np.array([entry["bbox"] for entry in found]).reshape(-1, 4)
        truth = np.array([people[0]["bbox"]])
        overlaps = coco_mask.iou(boxes, truth, [0]) if len(boxes) else np.zeros((0, 1))
        hits += bool((overlaps > 0.6).any())
        extra += int((overlaps < 0.3).sum())
        assert all(0 < entry["score"] <= 1 for entry in found)
        assert all((box >= 0).all() for box in boxes)
        assert (boxes[:, 0] + boxes[:, 2] <= SIZE[1] + 0.01).all()
    assert 85 <= hits < 100
    assert 10 <= extra <= 90
