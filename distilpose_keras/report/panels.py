"""Pictures for the report: predictions, confidence, heatmaps."""

import cv2
import numpy as np
from keras import ops

from distilpose_keras.crops import crop_people
from distilpose_keras.data.transforms import box_to_center_scale, transform_points
from distilpose_keras.drawing import (
    add_caption,
    draw_poses,
    overlay_heatmaps,
    score_colors,
    side_by_side,
)
from distilpose_keras.losses.distilpose import simulated_heatmaps
from distilpose_keras.pixels import normalize_images

PICTURE_HEIGHT = 320
CROP_HEIGHT = 288
SHOWN_JOINTS = 0.6  # of all: a person to show has at least so many labelled


def choose_people(people, count):
    """Choose people to show: well visible, from different images, spread evenly.

    Args:
        people: a `PeopleIndex` with keypoints.
        count: how many.

    Returns:
        Up to ``count`` positions in ``people``, always the same.
    """
    labelled = (people.visibility > 0).mean(axis=1)
    order = np.lexsort((-labelled, people.image_index))
    first = np.flatnonzero(np.diff(people.image_index[order], prepend=-1))
    best = order[first]  # the most complete person of each image
    complete = best[labelled[best] >= SHOWN_JOINTS]
    pool = complete if len(complete) >= count else best
    places = np.linspace(0, len(pool) - 1, min(count, len(pool)))
    return pool[places.round().astype(int)].tolist()


def prediction_panels(people, predictors, indices, *, flip=False):
    """Show ground truth beside each model's predictions of the same keypoints.

    Keypoints without a label are left out everywhere.

    Args:
        people: a `PeopleIndex` with keypoints.
        predictors: name -> `PosePredictor`.
        indices: positions in ``people``; the whole image of each is shown, with all
            its people in their annotated boxes.
        flip: average with the mirrored crops.

    Returns:
        list of (caption, uint8 RGB picture), one per image.
    """
    panels = []
    for index in indices:
        path = people[index].image_path
        full = people.read_picture(people.image_index[index])
        image = zoomed(full)
        zoom = image.shape[0] / full.shape[0]
        members = np.flatnonzero(people.image_index == people.image_index[index])
        labelled = people.visibility[members]
        boxes = people.boxes_xywh[members]
        poses = {"ground truth": people.keypoints[members] * zoom}
        for name, predictor in predictors.items():
            poses[name] = predictor.predict(full, boxes, flip=flip).keypoints * zoom
        row = [
            add_caption(draw_poses(image, points, labelled, people.schema), name)
            for name, points in poses.items()
        ]
        panels.append((path.name, side_by_side(row)))
    return panels


def confidence_panels(people, predictor, indices):
    """Color each predicted keypoint by its score, as in the paper's Figure 6.

    Args:
        people: a `PeopleIndex`.
        predictor: a `PosePredictor`.
        indices: positions in ``people``; one crop each.

    Returns:
        list of one (caption, uint8 RGB picture): the crops and a color scale.
    """
    crops, centers, scales = _crops(people, indices, predictor)
    keypoints_px, scores = predictor.predict_people(crops, centers, scales)
    row = []
    for crop, points, confidence, center, scale in zip(
        crops, keypoints_px, scores, centers, scales, strict=True
    ):
        picture, zoom = _enlarged(crop)
        matrix = predictor.geometry.affine_matrix(
            center, scale, output_size=crop.shape[:2]
        )
        drawn = draw_poses(
            picture,
            [transform_points(points, matrix) * zoom],
            [confidence],
            people.schema,
            threshold=-np.inf,
            color_by_score=True,
        )
        row.append(add_caption(drawn, f"mean score {confidence.mean():.2f}"))
    row.append(_color_scale(row[0].shape[0]))
    return [
        ("Color of a keypoint: its score, from 0 (red) to 1 (green)", side_by_side(row))
    ]


def heatmap_panels(people, student, teacher, indices):
    """Show the teacher's heatmaps beside those the student's output simulates.

    The paper's Figure 5: a Gaussian per keypoint with the regressed position and
    sigmas.

    Args:
        people: a `PeopleIndex`.
        student: a `PoseModel` that regresses keypoints and sigmas.
        teacher: a `PoseModel` whose outputs stand for heatmaps.
        indices: positions in ``people``; one crop each.

    Returns:
        list of (caption, uint8 RGB picture), one per person.
    """
    config = student.pose_config
    crops, _, _ = _crops(people, indices, config)
    images = normalize_images(
        crops, config.image_mean, config.image_std, bgr=config.bgr
    )
    found = student(images, training=False)
    seen = teacher.pose_config.shown(teacher(images, training=False))
    real = ops.convert_to_numpy(seen["heatmaps"])
    simulated = ops.convert_to_numpy(
        simulated_heatmaps(found["keypoints"], found["sigmas"], real.shape[-2:])
    )
    points = ops.convert_to_numpy(found["keypoints"])
    panels = []
    for number, crop in enumerate(crops):
        picture, _ = _enlarged(crop)
        size = np.array(picture.shape[1::-1])
        drawn = draw_poses(
            picture,
            [points[number] * size],
            np.ones((1, points.shape[1])),
            people.schema,
        )
        row = (
            (drawn, "student"),
            (overlay_heatmaps(picture, real[number]), "teacher's heatmaps"),
            (overlay_heatmaps(picture, simulated[number]), "simulated heatmaps"),
        )
        image = side_by_side([add_caption(*panel) for panel in row])
        panels.append((people[indices[number]].image_path.name, image))
    return panels


def _crops(people, indices, shown):
    """Crops (N, H, W, 3), centers (N, 2) and scales (N, 2) of some people.

    `shown` has the `input_size` and the `geometry` of a model.
    """
    size, geometry = shown.input_size, shown.geometry
    centers, scales = box_to_center_scale(
        people.boxes_xywh[list(indices)], input_size=size, geometry=geometry
    )
    crops = [
        crop_people(
            people.read_picture(people.image_index[index]),
            center[None],
            scale[None],
            size,
            geometry,
        )[0]
        for index, center, scale in zip(indices, centers, scales, strict=True)
    ]
    return np.stack(crops), centers, scales


def zoomed(image):
    """Return the image at the height of a panel."""
    zoom = PICTURE_HEIGHT / image.shape[0]
    size = (round(image.shape[1] * zoom), PICTURE_HEIGHT)
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=method)


def _enlarged(crop):
    """The crop at the height of a panel, and the zoom."""
    zoom = CROP_HEIGHT / crop.shape[0]
    size = (round(crop.shape[1] * zoom), CROP_HEIGHT)
    return cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), zoom


def _color_scale(height):
    """A vertical scale of `score_colors`, 1 on top."""
    values = np.linspace(1, 0, height)
    bar = np.repeat(score_colors(values)[:, None], 26, axis=1)
    for text, place in (("1", 16), ("0", height - 6)):
        cv2.putText(
            bar,
            text,
            (8, place),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
    return bar
