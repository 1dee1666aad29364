import json

import numpy as np

from distilpose_keras.benchmarks import data
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.samples import SampleArrays, SampleLoader, SampleRequest
from distilpose_keras.data.transforms import Augmentation
from tests.benchmarks.arguments import of


def test_every_way_to_make_crops_is_measured(coco_tiny, monkeypatch):
    monkeypatch.setattr(data, "PEOPLE_PER_PASS", 80)
    options = ["--rounds", 1, "--workers", 2, "--people", 150]
    rows = data.run(of("data", "--data", coco_tiny, *options))
    assert [row["workers"] for row in rows[:4]] == [1, 1, 1, 2]
    assert all(row["crops_per_second"] > 0 for row in rows[:4])
    single = [row["crops_per_core_second"] for row in rows[:3]]
    # How much faster is measured on a quiet machine; here, that it is at all.
    assert rows[2]["ratio"] == round(single[2] / single[0], 2) > 1
    assert rows[4]["path"].startswith("opening 150 people")
    assert 10 < rows[4]["peak_mb"] < 400
    assert rows[0]["ratio"] == 1
    assert rows[3]["ratio_to_one_process"] == round(
        rows[3]["crops_per_second"] / rows[2]["crops_per_second"], 2
    )
    json.dumps(rows)


def test_the_plain_path_makes_the_same_crops(coco_tiny):
    people = load_people(*coco_paths(coco_tiny, "val")).limit(3)
    count = len(people)
    arrays = SampleArrays.empty(count, (256, 192), 17)
    loader = SampleLoader(people.schema, (256, 192), Augmentation.none(), 0, 1 << 20)
    request = SampleRequest(
        np.arange(count),
        [str(person.image_path) for person in people],
        people.boxes_xywh,
        people.keypoints,
        people.visibility,
        np.zeros(count, bool),
    )
    loader.load(request, 0, arrays, np.arange(count))
    for plain, image in zip(data.plain_crops(people), arrays.images, strict=True):
        restored = plain * [58.395, 57.12, 57.375] + [123.675, 116.28, 103.53]
        np.testing.assert_allclose(restored, image, atol=2)


def test_a_repeated_data_set_shows_the_same_people(coco_tiny, tmp_path):
    people = load_people(*coco_paths(coco_tiny, "val")).limit(7)
    repeated = data.repeat_people(people, 3 * len(people) - 1, tmp_path)
    assert len(repeated) == 3 * len(people)
    paths = {str(person.image_path) for person in repeated}
    assert len(paths) == 3 * len({person.image_path for person in people})
    for n in (0, len(people) + 2, 2 * len(people) + 5):
        original = people[n % len(people)]
        assert repeated[n].image_path.read_bytes() == original.image_path.read_bytes()
        np.testing.assert_array_equal(repeated[n].keypoints, original.keypoints)
        assert repeated[n].image_id == original.image_id
