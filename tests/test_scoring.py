"""Person scores, OKS-NMS and AP against published figures and pycocotools itself."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from distilpose_keras.data.coco import load_people
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.scoring import (
    FIGURES,
    oks_nms,
    pairwise_oks,
    read_ground_truth,
    rescore,
    score_coco,
    select_poses,
    silence,
)

SIGMAS = (0.05, 0.1)


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


def direct_figures(path, ids, keypoints, scores, images=None):
    """The ten figures straight from pycocotools."""
    results = [
        {
            "image_id": int(i),
            "category_id": 5,
            "keypoints": np.hstack([k, np.ones((2, 1))]).ravel().tolist(),
            "score": float(s),
        }
        for i, k, s in zip(ids, keypoints, scores, strict=True)
    ]
    with silence():
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(SIGMAS)
        if images is not None:
            evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(FIGURES, evaluation.stats, strict=True))


def test_person_score_is_box_score_times_mean_of_confident_keypoints():
    scores = np.array([[0.9, 0.3, 0.1], [0.2, 0.1, 0.0]])
    np.testing.assert_allclose(rescore(scores, [0.5, 1.0]), [0.5 * 0.6, 0.0])


def test_oks_of_known_distances():
    # At a distance of 2 sigma sqrt(area) a keypoint's similarity is exp(-1/2).
    sigmas, area = (0.05, 0.1), 400.0
    poses = np.zeros((2, 2, 2))
    poses[1, :, 0] = 2 * np.array(sigmas) * np.sqrt(area)
    oks = pairwise_oks(poses, [area, area], sigmas)
    np.testing.assert_allclose(oks, [[1, np.exp(-0.5)], [np.exp(-0.5), 1]], rtol=1e-9)


@pytest.mark.parametrize(("threshold", "key"), [(0.9, "09"), (0.5, "05")])
def test_nms_survivors_are_the_published_ones(parity, threshold, key):
    reference = parity("decode")
    kept = oks_nms(
        reference["nms_keypoints"],
        reference["nms_area"],
        reference["nms_score"],
        COCO_17.sigmas,
        threshold=threshold,
    )
    np.testing.assert_array_equal(kept, reference[f"nms_keep_{key}"])


def test_nms_does_not_look_across_images():
    keypoints, areas, scores = np.zeros((3, 2, 2)), np.full(3, 100.0), np.ones(3)
    scores[2] = 2
    kept = select_poses([8, 4, 8], keypoints, areas, scores, SIGMAS)
    assert sorted(kept) == [1, 2]
    assert len(select_poses([], keypoints[:0], areas[:0], scores[:0], SIGMAS)) == 0


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
    expected = direct_figures(path, *poses)
    assert 0.1 < expected["AP"] < 0.9  # the comparison means something
    assert figures == expected


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
    assert figures["AP"] == figures["AR"] == 1.0


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


def test_nothing_is_printed(annotations, tmp_path, capsys):
    path, data = annotations
    truth, _ = read_ground_truth(load_people(path, tmp_path))
    score_coco(truth, *noisy_poses(data), SIGMAS)
    assert capsys.readouterr().out == ""
