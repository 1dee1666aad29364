"""`distilpose evaluate`: figures, JSON, and one line on mistakes."""

import json

import cv2
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.detections import load_detections
from distilpose_keras.evaluation import evaluate
from distilpose_keras.models.model import load_model
from distilpose_keras.scoring import FIGURES

DETECTIONS = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"


@pytest.fixture
def score(command):
    return command("evaluate")


def test_detector_boxes_give_the_librarys_figures(
    score, model, coco_tiny, tmp_path, capsys
):
    written = tmp_path / "figures.json"
    boxes = coco_tiny / DETECTIONS
    code = score(
        model, "--data", coco_tiny, "--boxes", boxes, "--flip", "--json", written
    )
    assert code == 0
    found = json.loads(written.read_text())
    assert list(found) == [*FIGURES, "instances", "seconds"]
    people = load_people(*coco_paths(coco_tiny, "val"))
    expected = evaluate(
        load_model(model), people, boxes=load_detections(boxes, people), flip=True
    )
    for name in (*FIGURES, "instances"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    printed = capsys.readouterr()
    assert "student.keras: detected boxes, flip test" in printed.out
    assert "68 annotated people are in images without a detection" in printed.err


def test_ground_truth_boxes_and_a_limit(score, model, coco_tiny, tmp_path):
    written = tmp_path / "figures.json"
    assert score(model, "--data", coco_tiny, "--limit", 5, "--json", written) == 0
    assert json.loads(written.read_text())["instances"] == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["MODEL", "--data", "nowhere"], "no such folder: nowhere"),
        (["none.tflite", "--data", "COCO"], "none.tflite"),
        (["MODEL", "--data", "COCO", "--limit", "0"], "--limit: must be at least 1"),
        (["MODEL", "--data", "COCO", "--boxes", "none.json"], "none.json"),
    ],
)
def test_mistakes_are_one_line(score, model, coco_tiny, mistake, arguments, complaint):
    names = {"MODEL": model, "COCO": coco_tiny}
    assert score(*(names.get(a, a) for a in arguments)) == 2
    assert complaint in mistake()


def test_reliability_of_the_scores(score, model, coco_tiny, tmp_path, capsys):
    for name in ("scores.json", "scores.png"):
        arguments = ["--data", coco_tiny, "--limit", 8, "--reliability"]
        assert score(model, *arguments, tmp_path / name) == 0
    found = json.loads((tmp_path / "scores.json").read_text())
    people = load_people(*coco_paths(coco_tiny, "val")).limit(8)
    assert sum(found["counts"]) == (people.visibility > 0).sum()
    ap = evaluate(load_model(model), people)["AP"]
    assert found["ap"] == pytest.approx(ap, abs=1e-6)
    image = cv2.imread(str(tmp_path / "scores.png"))
    assert image.shape[0] > 300
    assert "calibration error" in capsys.readouterr().out
