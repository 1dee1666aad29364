"""Person scores and AP against published figures and pycocotools itself."""

import json

import numpy as np
import pytest

from distilpose_keras import scorers
from distilpose_keras.benchmarks import plain_scoring
from distilpose_keras.data.coco import load_people
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.oks import select_poses
from distilpose_keras.scoring import (
    FIGURES,
    read_ground_truth,
    rescore,
    score_coco,
)

SIGMAS = (0.05, 0.1)
DIGITS = 1e-9  # to which hotcoco's figures are pycocotools'


@pytest.fixture(params=["hotcoco", "pycocotools"], autouse=True)
def scorer(request, monkeypatch):
    """Every test runs with both scorers."""
    if request.param == "pycocotools":
        monkeypatch.setattr(scorers, "find_hotcoco", lambda: None)
    else:
        pytest.importorskip("hotcoco")
    return request.param


@pytest.fixture
def annotations(tmp_path):
    """Write a COCO file of a two-keypoint schema; return its path and its content."""
    rng = np.random.default_rng(3)
    people = []
    for number in range(60):
        # From 36 to 300 pixels: small, medium and large by COCO's area ranges.
        left, top, side = rng.uniform([0, 0, 36], [200, 150, 300])
        xy = rng.uniform([left, top], [left + side, top + side], (2, 2))
        flags = rng.integers(0, 3, (2, 1))
        people.append(
            {
                "id": number + 7,
                "image_id": number // 4,
                "category_id": 5,
                "bbox": [left, top, side, side],
                "area": side * side / 2,
                "keypoints": np.hstack([xy, flags]).ravel().tolist(),
                "num_keypoints": int((flags > 0).sum()),
                "iscrowd": 0,
            }
        )
    data = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "height": 480, "width": 640}
            for n in range(15)
        ],
        "annotations": people,
        "categories": [{"id": 5, "name": "hand", "keypoints": ["tip", "wrist"]}],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(data))
    return path, data


def noisy_poses(data, seed=0):
    """Predictions near the annotated keypoints: image ids, keypoints, scores."""
    rng = np.random.default_rng(seed)
    people = data["annotations"]
    ids = np.array([person["image_id"] for person in people])
    keypoints = np.array([person["keypoints"] for person in people]).reshape(-1, 2, 3)
    size = np.sqrt([person["area"] for person in people])[:, None, None]
    noise = rng.standard_normal((len(ids), 2, 2)) * rng.uniform(0, 0.2, size.shape)
    return ids, keypoints[..., :2] + noise * size, rng.uniform(0, 1, len(ids))


def direct_figures(path, *poses, images=None):
    """The ten figures straight from pycocotools."""
    truth = plain_scoring.read_annotations(path)
    figures = plain_scoring.score_coco(truth, *poses, SIGMAS, images=images)
    return pytest.approx(dict(zip(FIGURES, figures, strict=True)), abs=DIGITS)


def test_figures_are_the_published_ones(parity, coco_tiny):
    reference = parity("coco_eval")
    people = load_people(
        coco_tiny / "annotations" / "person_keypoints_val2017.json",
        coco_tiny / "val2017",
    )
    keypoints, ids = reference["keypoints"], reference["image_id"]
    scores = rescore(keypoints[..., 2], reference["bbox_score"])
    kept = select_poses(ids, keypoints, reference["area"], scores, COCO_17.sigmas)
    assert len(kept) == reference["kept"]
    truth, complete = read_ground_truth(people)
    assert complete
    figures = score_coco(
        truth, ids[kept], keypoints[kept], scores[kept], people.schema.sigmas
    )
    assert list(figures) == list(reference["stats_names"])
    np.testing.assert_allclose(list(figures.values()), reference["stats"], atol=1e-9)


def test_figures_of_another_schema_equal_pycocotools(annotations, tmp_path):
    path, data = annotations
    people = load_people(path, tmp_path)
    poses = noisy_poses(data)
    truth, _ = read_ground_truth(people)
    figures = score_coco(truth, *poses, SIGMAS)
    assert figures == direct_figures(path, *poses)
    assert 0.1 < figures["AP"] < 0.9  # the comparison means something


def test_figures_of_some_images_equal_pycocotools(annotations, tmp_path):
    path, data = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    poses = noisy_poses(data)
    figures = score_coco(truth, *poses, SIGMAS, images=[9, 3])
    assert figures == direct_figures(path, *poses, images=[3, 9])


def test_people_left_out_of_an_index_are_neither_missed_nor_found(
    annotations, tmp_path
):
    path, data = annotations
    people = load_people(path, tmp_path)
    truth, complete = read_ground_truth(people.limit(6))
    assert not complete
    ids = people.image_ids[people.image_index]
    # The six people of the index, and three who were left out.
    figures = score_coco(truth, ids[:9], people.keypoints[:9], np.ones(9), SIGMAS)
    assert figures["AP"] == figures["AR"] == pytest.approx(1.0)


def test_no_poses_score_zero(annotations, tmp_path):
    path, _ = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    figures = score_coco(truth, [], np.zeros((0, 2, 3)), [], SIGMAS)
    assert figures["AP"] == figures["AR"] == 0.0


def test_optional_fields_of_the_annotations_may_be_absent(annotations, tmp_path):
    path, data = annotations
    poses = noisy_poses(data)
    expected = direct_figures(path, *poses)
    for number, person in enumerate(data["annotations"]):
        del person["num_keypoints"], person["iscrowd"]
        person["id"] = number  # from 0, which pycocotools itself cannot match
    path.write_text(json.dumps(data))
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    assert score_coco(truth, *poses, SIGMAS) == expected


def test_areas_that_are_no_numbers_are_the_boxes(annotations, tmp_path):
    path, data = annotations
    poses = noisy_poses(data)
    for person in data["annotations"]:
        person["area"] = person["bbox"][2] * person["bbox"][3]
    path.write_text(json.dumps(data))
    expected = direct_figures(path, *poses)
    for person, unknown in zip(
        data["annotations"], [None, float("nan")] * 30, strict=True
    ):
        person["area"] = unknown
    path.write_text(json.dumps(data))
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    assert score_coco(truth, *poses, SIGMAS) == expected


def test_a_crowd_may_have_keypoints_of_another_kind(annotations, tmp_path):
    path, data = annotations
    poses = noisy_poses(data)
    crowd = {**data["annotations"][0], "iscrowd": 1, "num_keypoints": 0, "id": 99}
    figures = []
    for keypoints in ([0] * 6, [1, 2, 2]):
        annotated = [*data["annotations"], {**crowd, "keypoints": keypoints}]
        path.write_text(json.dumps({**data, "annotations": annotated}))
        truth, _ = read_ground_truth(load_people(path, tmp_path))
        figures.append(score_coco(truth, *poses, SIGMAS))
    assert figures[0] == figures[1]


def test_image_ids_may_be_any_integers(annotations, tmp_path):
    path, data = annotations
    ids, keypoints, scores = noisy_poses(data)
    scores = scores.round(1)  # equal scores rank by image id
    expected = direct_figures(path, ids, keypoints, scores)
    for number in range(15):
        data["images"][number]["id"] = 2**60 * (number > 7) + number - 7
    for person in data["annotations"]:
        person["image_id"] = data["images"][person["image_id"]]["id"]
    path.write_text(json.dumps(data))
    ids = [data["images"][number]["id"] for number in ids]
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    assert score_coco(truth, ids, keypoints, scores, SIGMAS) == expected


def test_no_images_have_no_figures(annotations, tmp_path):
    path, data = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    figures = score_coco(truth, *noisy_poses(data), SIGMAS, images=[])
    assert set(figures.values()) == {-1.0}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("what", ["keypoints", "scores"])
def test_poses_that_are_not_finite_are_refused(annotations, tmp_path, what, bad):
    path, data = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    ids, keypoints, scores = noisy_poses(data)
    {"keypoints": keypoints, "scores": scores}[what][9] = bad
    with pytest.raises(
        ValueError, match=f"{what} of poses must be finite. Received: 1 of 60 .* 2$"
    ):
        score_coco(truth, ids, keypoints, scores, SIGMAS)


def test_a_pose_of_an_unknown_image_is_refused(annotations, tmp_path):
    path, data = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    ids, keypoints, scores = noisy_poses(data)
    with pytest.raises(ValueError, match="images of the ground truth. .* image 30"):
        score_coco(truth, ids + 30, keypoints, scores, SIGMAS, images=[1])


def test_nothing_is_printed(annotations, tmp_path, capfd):
    path, data = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    score_coco(truth, *noisy_poses(data), SIGMAS)
    assert capfd.readouterr() == ("", "")
