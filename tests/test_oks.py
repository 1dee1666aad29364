"""OKS-NMS against published survivors and the plain way."""

import numpy as np
import pytest

from distilpose_keras.benchmarks import plain_scoring, scoring_set
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.oks import keypoint_similarity, oks_nms, select_poses

SIGMAS = (0.05, 0.1)


def test_similarity_at_known_distances():
    # At a distance of 2 sigma sqrt(area) a keypoint's similarity is exp(-1/2).
    area = 400.0
    poses = np.zeros((3, 2, 2))
    poses[1, :, 0] = 2 * np.array(SIGMAS) * np.sqrt(area)
    poses[2, 1] = 1e6
    similarity = keypoint_similarity(poses, poses[[0, 0, 0]], [area] * 3, SIGMAS)
    np.testing.assert_allclose(
        similarity, [[1, 1], [np.exp(-0.5)] * 2, [1, 0]], rtol=1e-9
    )


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


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 0.99, 1.0, 1.1])
@pytest.mark.parametrize("num_keypoints", [1, 2, 17])
def test_survivors_are_those_of_the_plain_way(threshold, num_keypoints):
    sigmas = np.array(COCO_17.sigmas[:num_keypoints])
    poses = scoring_set.make_poses(
        scoring_set.make_annotations(30), COCO_17.sigmas, seed=num_keypoints
    )
    given = (
        poses.image_ids,
        poses.keypoints[:, :num_keypoints],
        poses.areas,
        poses.box_scores.round(1),  # many are equal
        sigmas,
    )
    kept = select_poses(*given, threshold=threshold)
    expected = plain_scoring.select_poses(*given, threshold=threshold)
    np.testing.assert_array_equal(kept, expected)
    if threshold >= 1:
        assert len(kept) == len(poses.image_ids)
    elif threshold < 0.9:
        assert len(kept) < 0.9 * len(poses.image_ids)


def test_a_suppressed_pose_suppresses_nobody():
    # A chain: each of three poses resembles its neighbour only.
    keypoints = np.zeros((3, 2, 2))
    keypoints[:, :, 0] = np.arange(3)[:, None] * 0.5
    areas = np.full(3, 100.0)
    assert oks_nms(keypoints, areas, [3, 2, 1], SIGMAS).tolist() == [0, 2]
    assert oks_nms(keypoints, areas, [2, 3, 1], SIGMAS).tolist() == [1]


def test_nms_does_not_look_across_images():
    keypoints, areas, scores = np.zeros((3, 2, 2)), np.full(3, 100.0), np.ones(3)
    scores[2] = 2
    kept = select_poses([8, 4, 8], keypoints, areas, scores, SIGMAS)
    assert kept.tolist() == [1, 2]
    assert len(select_poses([], keypoints[:0], areas[:0], scores[:0], SIGMAS)) == 0
