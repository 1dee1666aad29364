"""evaluate: the whole way from an image file to AP."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from distilpose_keras import evaluation
from distilpose_keras import predictor as predictor_module
from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.detections import load_detections
from distilpose_keras.data.transforms import (
    box_to_center_scale,
    transform_points,
)
from distilpose_keras.evaluation import FIGURES, evaluate
from distilpose_keras.geometry import PLAIN
from distilpose_keras.keypoints import COCO_17, KeypointSchema
from distilpose_keras.predictor import PosePredictor

SIZE = (128, 96)
BOX = (80, 120)  # width and height of every person


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Five images of two people each; a person's box is painted in its own color.

    The left half of the box of person n has the value 10 + n, the right half 100 + n:
    what a crop shows tells who it is, and whether it is mirrored.
    """
    folder = tmp_path_factory.mktemp("coco")
    (folder / "annotations").mkdir()
    (folder / "val2017").mkdir()
    rng = np.random.default_rng(5)
    images, annotations = [], []
    for image_id in range(5):
        picture = np.zeros((200, 320, 3), np.uint8)
        for place in range(2):
            number = len(annotations)
            left, top = 20 + 150 * place, 30 + int(rng.integers(0, 30))
            picture[top : top + BOX[1], left : left + BOX[0] // 2] = 10 + number
            picture[top : top + BOX[1], left + BOX[0] // 2 : left + BOX[0]] = (
                100 + number
            )
            xy = rng.uniform((left, top), (left + BOX[0], top + BOX[1]), (17, 2))
            keypoints = np.hstack([xy, np.full((17, 1), 2)])
            annotations.append(
                {
                    "id": number,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": [left, top, *BOX],
                    "area": BOX[0] * BOX[1],
                    "iscrowd": 0,
                    "num_keypoints": 17,
                    "keypoints": keypoints.ravel().tolist(),
                }
            )
        name = f"{image_id}.png"
        cv2.imwrite(str(folder / "val2017" / name), picture)
        images.append({"id": image_id, "file_name": name, "width": 320, "height": 200})
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.names)}
    data = {"images": images, "annotations": annotations, "categories": [category]}
    path = folder / "annotations" / "person_keypoints_val2017.json"
    path.write_text(json.dumps(data))
    return load_people(*coco_paths(folder, "val"))


class Oracle:
    """A runtime that recognises the people of the fixture and knows the answers."""

    name = "oracle"
    input_size = SIZE
    schema = COCO_17
    metadata = {}
    geometry = PLAIN

    def __init__(self, people, codec):
        self.people = people
        self.codec = codec
        self.sizes = []

    def run(self, crops):
        self.sizes.append(len(crops))
        points, mirrored = zip(*map(self._keypoints, crops), strict=True)
        points = np.stack(points)  # (N, K, 2) pixels of the crop
        if self.codec.heatmap_size:
            weights = np.ones((*points.shape[:2], 1))
            return {"heatmaps": self.codec.encode(points / SIZE[::-1], weights)[0]}
        scores = np.full((*points.shape[:2], 1), 0.8, np.float32)
        return {"keypoints": points / SIZE[::-1], "scores": scores}

    def _keypoints(self, crop):
        height, width = SIZE
        ends = crop[height // 2, [width // 2 - 10, width // 2 + 10], 0].astype(int)
        mirrored = ends[0] > ends[1]
        person = self.people[int(ends.min()) - 10]
        center, scale = box_to_center_scale(person.box_xywh, input_size=SIZE)
        matrix = PLAIN.affine_matrix(center, scale, output_size=SIZE)
        points = transform_points(person.keypoints, matrix)
        if mirrored:
            points = points[COCO_17.flip_permutation]
            points[:, 0] = width - points[:, 0]
        return points, mirrored


@pytest.fixture
def oracle(people, monkeypatch):
    def make(codec=None):
        runtime = Oracle(people, codec or CoordinateCodec())
        monkeypatch.setattr(predictor_module, "open_runtime", lambda *a, **k: runtime)
        return PosePredictor("oracle")

    return make


@pytest.mark.parametrize("flip", [False, True])
def test_perfect_keypoints_score_one(people, oracle, flip):
    predictor = oracle()
    figures = evaluate(predictor, people, flip=flip, batch_size=4)
    assert figures["AP"] == figures["AR"] == pytest.approx(1)
    assert figures["instances"] == 10
    assert predictor._runtime.sizes == [4, 4, 2] if not flip else [4, 4, 4, 4, 2, 2]


def test_persons_are_scored_by_the_rule_of_the_model(people, oracle, monkeypatch):
    monkeypatch.setattr(Oracle, "metadata", {"person_score": "sum"})
    seen = {}

    def select(image_ids, keypoints, areas, person_scores, *args, **kwargs):
        seen["scores"] = person_scores
        return np.arange(len(image_ids))

    monkeypatch.setattr(evaluation, "select_poses", select)
    evaluate(oracle(), people)
    np.testing.assert_allclose(seen["scores"], 1 + 0.8 + 0.8, rtol=1e-6)


def test_perfect_heatmaps_score_nearly_one(people, oracle):
    assert evaluate(oracle(HeatmapCodec((32, 24))), people)["AP"] > 0.95


def reordered(people, order):
    """The same people with their keypoints in another order, or some of them."""
    fields = ("names", "sigmas")
    schema = people.schema
    parts = {f: tuple(getattr(schema, f)[k] for k in order) for f in fields}
    schema = KeypointSchema(**parts, flip_pairs=(), skeleton=(), upper_body=())
    data = json.loads(people.annotation_file.read_text())
    data["categories"][0]["keypoints"] = list(schema.names)
    for person in data["annotations"]:
        triples = np.reshape(person["keypoints"], (17, 3))[list(order)]
        person["keypoints"] = triples.ravel().tolist()
    path = people.annotation_file.with_name(f"order_{order[0]}_{len(order)}.json")
    path.write_text(json.dumps(data))
    return load_people(path, people.image_dir)


@pytest.mark.parametrize("count", [17, 13])
def test_a_model_of_another_order_is_matched_by_name(people, oracle, count):
    order = np.random.default_rng(count).permutation(17)[:count].tolist()
    other = reordered(people, order)
    assert other.schema.names != COCO_17.names[:count]
    figures = evaluate(oracle(), other)
    assert figures["AP"] == pytest.approx(1)


def test_a_model_of_other_keypoints_is_refused(people, oracle):
    names = ("nose", *(f"paw_{n}" for n in range(16)))
    schema = dataclasses.replace(COCO_17, names=names)
    other = dataclasses.replace(people, schema=schema)
    with pytest.raises(ValueError, match=r"must predict the keypoints .*paw_0.*Rec"):
        evaluate(oracle(), other)
    schema = dataclasses.replace(
        COCO_17, names=(*COCO_17.names, "neck"), sigmas=(*COCO_17.sigmas, 0.05)
    )
    other = dataclasses.replace(people, schema=schema)
    with pytest.raises(ValueError, match="18 keypoints .*a model of 17, without neck"):
        evaluate(oracle(), other)


def test_figures_have_the_documented_keys(people, oracle):
    figures = evaluate(oracle(), people)
    assert set(figures) == {*FIGURES, "instances", "seconds"}
    assert json.loads(json.dumps(figures)) == figures


def test_limit_scores_the_first_people_only(people, oracle):
    figures = evaluate(oracle(), people, limit=3)
    assert figures["instances"] == 3
    assert figures["AP"] == figures["AR"] == pytest.approx(1)


def detections(people, tmp_path, chosen, shift=0):
    """A detection file of the annotated boxes of some people, shifted to the right."""
    entries = [
        {
            "image_id": people[n].image_id,
            "category_id": 1,
            "bbox": (people[n].box_xywh + [shift, 0, 0, 0]).tolist(),
            "score": 0.9,
        }
        for n in chosen
    ]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(entries))
    return load_detections(path, people)


def test_people_without_a_detection_are_missed(people, oracle, tmp_path):
    boxes = detections(people, tmp_path, range(6))
    figures = evaluate(oracle(), people, boxes=boxes)
    assert figures["instances"] == 6
    assert figures["AR"] == pytest.approx(0.6)


def test_a_part_of_the_people_is_scored_in_its_own_images(people, oracle, tmp_path):
    boxes = detections(people, tmp_path, range(10))
    figures = evaluate(oracle(), people.take([4, 5]), boxes=boxes)
    assert figures["instances"] == 2
    assert figures["AP"] == pytest.approx(1)


def test_limit_of_detections_scores_their_images(people, oracle, tmp_path):
    boxes = detections(people, tmp_path, range(10))
    figures = evaluate(oracle(), people, boxes=boxes, limit=4)
    assert figures["instances"] == 4
    assert figures["AR"] == pytest.approx(1)


def test_a_person_found_twice_counts_once(people, oracle, tmp_path):
    exact = detections(people, tmp_path, range(10))
    shifted = detections(people, tmp_path, range(10), shift=2)
    boxes = exact.take(np.r_[:10, :10])
    boxes = dataclasses.replace(
        boxes, boxes_xywh=np.concatenate([exact.boxes_xywh, shifted.boxes_xywh])
    )
    assert evaluate(oracle(), people, boxes=boxes)["AP"] == pytest.approx(1)
    # Without suppression every second pose is a false one.
    assert evaluate(oracle(), people, boxes=boxes, nms=1.1)["AP"] < 0.7


def test_sure_poses_rank_before_doubtful_ones(people, oracle):
    predictor = oracle()
    answer = predictor._runtime.run

    def two_wrong(crops):
        outputs = answer(crops)
        outputs["keypoints"][:2] += 5
        outputs["scores"][:2] = 0.3
        return outputs

    predictor._runtime.run = two_wrong
    # The eight right poses come first: precision 1 up to a recall of 0.8, of which
    # COCO samples 81 of 101 points.
    assert evaluate(predictor, people)["AP"] == pytest.approx(81 / 101)


def test_another_number_of_keypoints_is_refused(people, oracle, monkeypatch):
    predictor = oracle()
    predictor.schema = COCO_17.from_coco_category({"keypoints": ["tip"]})
    with pytest.raises(
        ValueError, match=r"keypoints of .*json: expected 17 .*Received: 1 "
    ):
        evaluate(predictor, people)


def test_nobody_to_evaluate_is_said(people, oracle):
    with pytest.raises(ValueError, match="nobody to evaluate in"):
        evaluate(oracle(), people.take([]))
