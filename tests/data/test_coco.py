import json
import tracemalloc

import numpy as np
import pytest
from pycocotools.coco import COCO

from distilpose_keras.benchmarks.data import write_annotations
from distilpose_keras.data.coco import (
    PersonInstance,
    coco_paths,
    load_people,
)
from distilpose_keras.keypoints import COCO_17, KeypointSchema

from .conftest import annotation, coco_document


@pytest.fixture
def load(tmp_path):
    """Write a document (an object or text) and load it."""

    def write_and_load(document, **options):
        path = tmp_path / "people.json"
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_text(text)
        return load_people(path, tmp_path, **options)

    return write_and_load


@pytest.mark.parametrize("split", ["train", "val"])
def test_real_annotations_are_those_that_pycocotools_finds(coco_tiny, split):
    annotation_file, image_dir = coco_paths(coco_tiny, split)
    people = load_people(annotation_file, image_dir)
    coco = COCO(annotation_file)
    expected = [
        entry
        for image in coco.getImgIds()
        for entry in coco.loadAnns(coco.getAnnIds(image, iscrowd=False))
        if entry["num_keypoints"]
    ]
    assert people.schema == COCO_17
    assert people.annotation_ids.tolist() == [entry["id"] for entry in expected]
    triples = np.array([entry["keypoints"] for entry in expected]).reshape(-1, 17, 3)
    np.testing.assert_array_equal(people.keypoints, triples[..., :2])
    np.testing.assert_array_equal(people.visibility, triples[..., 2])
    np.testing.assert_array_equal(people.areas, [entry["area"] for entry in expected])
    for person, entry in zip(people, expected, strict=True):
        assert person.image_id == entry["image_id"]
        assert person.image_path.is_file()
        size = coco.loadImgs(entry["image_id"])[0]
        x, y, w, h = entry["bbox"]
        right, bottom = min(x + w, size["width"] - 1), min(y + h, size["height"] - 1)
        np.testing.assert_allclose(person.box_xywh, [x, y, right - x, bottom - y])
    assert sum(people.skipped.values()) == len(coco.anns) - len(people)


def test_an_element_is_a_person(load):
    people = load(coco_document([annotation(7), annotation(8, (1, 2, 3, 4))]))
    person = people[1]
    assert isinstance(person, PersonInstance)
    assert (person.image_id, person.annotation_id, person.score) == (1, 8, 1.0)
    assert person.image_path.name == "1.jpg"
    assert person.box_xywh.tolist() == [1, 2, 3, 4]
    assert person.keypoints[3].tolist() == [13, 23]
    assert person.visibility.tolist() == [2] * 17
    assert len(list(people)) == len(people) == 2


def test_people_are_taken_and_limited(load):
    people = load(coco_document([annotation(n) for n in range(5)]))
    assert people.take([3, 0]).annotation_ids.tolist() == [3, 0]
    assert people.limit(2).annotation_ids.tolist() == [0, 1]
    assert people.limit(99).annotation_ids.tolist() == [0, 1, 2, 3, 4]
    assert people.limit(None) is people
    assert people[1:3].annotation_ids.tolist() == [1, 2]


def test_the_box_stands_in_for_an_area_that_is_not_given(load):
    bare = annotation(1)
    del bare["area"]
    people = load(coco_document([annotation(0), bare, annotation(2, area=None)]))
    assert people.areas.tolist() == [600, 30 * 40, 30 * 40]


def test_people_of_a_picture_come_together_in_the_order_of_the_pictures(load):
    images = [(5, 100, 200), (3, 100, 200)]
    entries = [annotation(n, image_id=image) for n, image in enumerate([3, 5, 3, 5])]
    people = load(coco_document(entries, images))
    assert people.annotation_ids.tolist() == [1, 3, 0, 2]
    assert people.image_index.tolist() == [0, 0, 1, 1]
    assert people[2].image_id == 3


def test_boxes_are_clipped_as_the_published_code_does(load):
    boxes = [(-10, -5, 50, 40), (150, 80, 100, 100), (0, 0, 200, 100)]
    people = load(coco_document([annotation(n, box) for n, box in enumerate(boxes)]))
    # A box that starts outside keeps its size; the last pixel is width - 1.
    assert people.boxes_xywh.tolist() == [
        [0, 0, 50, 40],
        [150, 80, 49, 19],
        [0, 0, 199, 99],
    ]


def test_what_is_left_out_is_counted(load):
    entries = [
        annotation(0),
        annotation(1, iscrowd=1),
        annotation(2, keypoints=[0] * 51),
        annotation(3, (300, 10, 20, 20)),
        {**annotation(4), "bbox": None, "keypoints": [10, 20, 2] + [0] * 48},
        annotation(5, category_id=2),
        annotation(0),
    ]
    people = load(coco_document(entries))
    assert people.annotation_ids.tolist() == [0]
    assert people.skipped == {
        "crowd": 1,
        "without keypoints": 1,
        "with a box outside the image or without area": 2,
        "of another category": 1,
        "listed twice": 1,
    }
    assert people.summary().startswith("1 people in 1 images (skipped: ")
    assert "2 with a box outside the image or without area" in people.summary()


def test_people_without_keypoints_are_kept_on_demand(load):
    bare = annotation(2)
    del bare["keypoints"]
    entries = [annotation(1, keypoints=[0] * 51), bare, annotation(3)]
    people = load(coco_document(entries), require_keypoints=False)
    assert people.visibility.any(axis=1).tolist() == [False, False, True]
    assert people.keypoints[2, 16].tolist() == [26, 36]


def test_any_number_of_keypoints_is_read(load):
    names = ["tip", "left_fin", "right_fin"]
    entry = annotation(0, keypoints=[1, 2, 2, 3, 4, 1, 5, 6, 0])
    people = load(coco_document([entry], names=names))
    assert people.schema.names == tuple(names)
    assert people.schema.flip_pairs == ((1, 2),)
    assert people.keypoints.tolist() == [[[1, 2], [3, 4], [5, 6]]]
    assert people.visibility.tolist() == [[2, 1, 0]]


def test_the_schema_chooses_among_categories(load):
    document = coco_document(
        [annotation(0), annotation(1, [1, 2, 3, 4], category_id=2)]
    )
    hand = {"id": 2, "name": "hand", "keypoints": ["a", "b"]}
    document["categories"].append(hand)
    document["annotations"][1]["keypoints"] = [1, 1, 2, 2, 2, 2]
    schema = KeypointSchema.from_coco_category(hand)
    assert load(document, schema=schema).annotation_ids.tolist() == [1]
    assert load(document, schema=COCO_17).annotation_ids.tolist() == [0]
    with pytest.raises(ValueError, match=r"more than one.*'person', 'hand'"):
        load(document)


def without(name):
    document = coco_document([annotation(0)])
    del document[name]
    return document


@pytest.mark.parametrize(
    "document, problem",
    [
        ("{'no': json}", "not valid JSON"),
        ('{"images": [], "annotations": [{"id"', "not valid JSON"),
        ("[]", "must hold a JSON object"),
        ({"names": []}, "not a COCO file: it has no"),
        (without("annotations"), r"it has no \['annotations'\]"),
        (without("categories"), r"it has no \['categories'\]"),
        (coco_document([annotation(0)], names=[]), "no category names keypoints"),
        (
            coco_document([annotation(0), annotation(41, keypoints=[1, 2, 2] * 16)]),
            "annotation 41 .* 3 numbers for each of 17 keypoints.*Received: 48",
        ),
        (
            coco_document([annotation(42, keypoints=[0, 0])]),
            "annotation 42 .* 2 numbers",
        ),
        (coco_document([annotation(43, image_id=9)]), "annotation 43 .*image 9"),
        (
            coco_document([annotation(44, keypoints=[float("nan"), 2, 2] * 17)]),
            "annotation 44 .*NaN",
        ),
        (coco_document([annotation(45, box=(1, 2, 3))]), "bbox that is not 4 numbers"),
        (
            coco_document([annotation(46, box=(1, 2, 3, "x"))]),
            "bbox that is not a number",
        ),
        (coco_document([{"id": 47, "keypoints": [1, 1, 2] * 17}]), "lacks 'image_id'"),
        (coco_document(["x"]), "an entry of 'annotations' has"),
        (coco_document([annotation(0)]) | {"images": [{"id": 1}]}, "lacks 'file_name'"),
    ],
)
def test_files_that_are_not_coco_s_are_refused_in_one_line(load, document, problem):
    with pytest.raises(ValueError, match=problem) as error:
        load(document)
    assert "people.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_schema_of_another_size_is_refused(load):
    with pytest.raises(ValueError, match=r"17 keypoints.*Received: 3 \(a, b, c\)"):
        load(coco_document([], names=["a", "b", "c"]), schema=COCO_17)


def test_missing_files_and_folders_are_named(tmp_path):
    def refused(problem):
        return pytest.raises(ValueError, match=problem)

    with refused("data folder does not exist: .*nowhere"):
        coco_paths(tmp_path / "nowhere", "train")
    with refused(r"annotation file does not exist: .*person_keypoints_val2017\.json"):
        coco_paths(tmp_path, "val")
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations" / "person_keypoints_val2017.json"
    path.write_text(json.dumps(coco_document([annotation(0)])))
    with refused("image folder does not exist: .*val2017"):
        coco_paths(tmp_path, "val")
    (tmp_path / "val2017").mkdir()
    assert len(load_people(*coco_paths(tmp_path, "val"))) == 1


@pytest.mark.slow
def test_opening_a_large_file_takes_little_memory(tmp_path):
    path = tmp_path / "large.json"
    write_annotations(path, 6000)
    tracemalloc.start()
    people = load_people(path, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(people) == 6000
    # The file has 10 MB and json.load makes 60 MB of it; a window of it is read.
    assert peak < 24e6


def test_labels_are_worth_what_the_file_says(load):
    scores = [0.25] * 5 + [1.0] * 12
    annotations = [annotation(1), annotation(2, keypoint_scores=scores)]
    people = load(coco_document(annotations))
    np.testing.assert_array_equal(people.confidences[0], np.ones(17))
    np.testing.assert_allclose(people.confidences[1], scores)
    np.testing.assert_allclose(people.take([1]).confidences, [scores])


@pytest.mark.parametrize("scores", [[0.5] * 16, [2.0] * 17, [-0.1] * 17])
def test_scores_that_do_not_fit_are_refused(load, scores):
    document = coco_document([annotation(7, keypoint_scores=scores)])
    with pytest.raises(ValueError, match="annotation 7 .* 17 keypoint_scores"):
        load(document)
