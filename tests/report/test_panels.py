"""Pictures of the report, on a rendered data set."""

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.models.model import build_model
from distilpose_keras.predictor import PosePredictor, PoseResult
from distilpose_keras.report import panels
from distilpose_keras.synthetic import render_dataset


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    render_dataset(folder, train_images=1, val_images=8, seed=2, workers=1)
    return load_people(*coco_paths(folder, "val"))


@pytest.fixture(scope="module")
def student():
    return build_model(
        "demo_student", transformer={"layers": 1}, backbone={"blocks": 1}
    )


def test_chosen_people_are_well_visible_and_of_different_images(people):
    chosen = panels.choose_people(people, 4)
    assert len(chosen) == 4
    assert len(set(people.image_index[chosen])) == 4
    assert (people.visibility[chosen] > 0).sum(axis=1).min() >= 10
    assert len(panels.choose_people(people, 99)) == len(np.unique(people.image_index))


def test_a_perfect_prediction_looks_like_the_ground_truth(people):
    class Perfect:
        def predict(self, image, boxes, *, flip):
            member = (people.boxes_xywh[:, None] == boxes).all(axis=-1).any(axis=1)
            return PoseResult(people.keypoints[member], np.ones((member.sum(), 17)))

    ((caption, picture),) = panels.prediction_panels(
        people, {"perfect": Perfect()}, [0]
    )
    assert caption == people[0].image_path.name
    width = (picture.shape[1] - 6) // 2
    below = picture[-panels.PICTURE_HEIGHT :]  # the captions differ
    np.testing.assert_array_equal(below[:, :width], below[:, -width:])
    # Something is drawn: the saturated orange of the left side.
    assert (np.abs(picture.astype(int) - (255, 140, 40)).max(axis=-1) < 3).any()


def test_heatmaps_of_teacher_and_student_stand_side_by_side(people, student):
    teacher = build_model(
        "demo_teacher", transformer={"layers": 1}, backbone={"blocks": 1}
    )
    found = panels.heatmap_panels(people, student, teacher, [0, 1])
    assert len(found) == 2
    _, picture = found[0]
    third = (picture.shape[1] - 2 * 6) // 3
    simulated = picture[-panels.CROP_HEIGHT :, -third:].astype(int)
    # The student's Gaussians are hot where it puts its keypoints, gray elsewhere.
    colorful = np.ptp(simulated, axis=-1) > 60
    assert 0.001 < colorful.mean() < 0.5
    assert colorful.any()


def test_confidence_is_shown_by_color(people, student):
    ((_, picture),) = panels.confidence_panels(
        people, PosePredictor(student), [0, 1, 2]
    )
    assert picture.dtype == np.uint8
    # The scale on the right runs from green on top to red at the bottom.
    scale = picture[:, -4].astype(int)
    assert scale[5, 1] > scale[5, 0] and scale[-5, 0] > scale[-5, 1]
