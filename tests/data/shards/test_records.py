"""A record is COCO's words for a picture."""

import json
from dataclasses import replace

import numpy as np

from distilpose_keras.data.shards.records import read_record, record_of
from distilpose_keras.keypoints import COCO_17


def test_numbers_survive_to_the_last_bit(people):
    rng = np.random.default_rng(0)
    odd = replace(
        people,
        boxes_xywh=people.boxes_xywh / 3,
        keypoints=people.keypoints * np.float32(np.pi),
        confidences=rng.random(people.confidences.shape, np.float32),
    )
    record = json.dumps(record_of(odd, 0, np.flatnonzero(odd.image_index == 0)))
    found = read_record("x", b"", record.encode(), COCO_17.names)
    count = np.count_nonzero(odd.image_index == 0)
    for name in ("boxes_xywh", "keypoints", "visibility", "confidences"):
        np.testing.assert_array_equal(getattr(found, name), getattr(odd, name)[:count])


def test_ids_that_are_no_numbers_are_kept(people):
    labels = [f"picture {n}" for n in range(len(people.image_ids))]
    record = record_of(replace(people, image_labels=labels), 2, np.array([5]))
    assert record["image_id"] == "picture 2"
