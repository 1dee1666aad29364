"""The generated set has COCO's proportions and is the same every time."""

import numpy as np

from distilpose_keras.benchmarks.scoring_set import make_annotations, make_poses
from distilpose_keras.keypoints import COCO_17


def test_people_are_those_of_val2017_in_proportion():
    data = make_annotations(500)
    people = data["annotations"]
    assert (len(data["images"]), len(people)) == (500, 1100)  # 11,004 of 5,000
    assert len({person["image_id"] for person in people}) == 269  # 2,693 of 5,000
    assert sorted(person["id"] for person in people) == list(range(1, 1101))
    for person in people:
        flags = np.reshape(person["keypoints"], (17, 3))[:, 2]
        assert person["num_keypoints"] == np.count_nonzero(flags)
    labelled = np.mean([person["num_keypoints"] > 0 for person in people])
    assert abs(labelled - (1 - 4425 / 11_004)) < 0.05


def test_the_seed_says_all():
    data = make_annotations(50, seed=3)
    assert data == make_annotations(50, seed=3) != make_annotations(50, seed=4)
    one, same = (make_poses(data, COCO_17.sigmas, seed=1) for _ in range(2))
    assert len(one.image_ids) == 950  # 95,000 for 5,000 images
    np.testing.assert_array_equal(one.keypoints, same.keypoints)
