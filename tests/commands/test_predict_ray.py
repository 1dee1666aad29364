"""`distilpose predict --engine ray`: the options that it takes, and a whole job."""

import json

import cv2
import numpy as np
import pytest

from distilpose_keras.bulk import job
from distilpose_keras.commands.main import main
from tests.own_process import in_own_process


def exit_code(arguments):
    """Run a command; return its exit code."""
    try:
        main(list(map(str, arguments)))
    except SystemExit as ended:
        return ended.code


@pytest.fixture
def predict(command):
    return command("predict")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "7.jpg"
    cv2.imwrite(str(path), np.full((60, 80, 3), 90, np.uint8))
    return path


@pytest.mark.parametrize(
    "flags, problem",
    [
        (("--engine", "ray", "--track", "--fps", 5), "it has no --fps, --track"),
        (("--engine", "ray", "--table", "csv"), "it has no --table"),
        (("--workers", 2), "--address and --workers need --engine ray"),
        (("--address", "auto"), "--address and --workers need --engine ray"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    predict, mistake, picture, tmp_path, flags, problem
):
    out = tmp_path / "out"
    assert predict(picture, *flags, "--out", out) == 2
    assert problem in mistake()
    assert not out.exists()


def test_what_is_typed_reaches_the_job(predict, picture, tmp_path, monkeypatch, capsys):
    seen = []

    def predict_many(inputs, out, settings, on_part, **options):
        seen.extend([inputs, settings, options])
        on_part({"pictures": 3}, 5)
        return {"pictures": 3, "people": 4, "errors": 1, "before": 2}

    monkeypatch.setattr(job, "predict_many", predict_many)
    flags = ("--conf", 0.4, "--flip", "--workers", 3, "--address", "head:6379")
    out = tmp_path / "out"
    assert predict(picture, "--engine", "ray", *flags, "--out", out) == 0
    inputs, settings, options = seen
    assert inputs == [str(picture)]
    assert settings.model.endswith("distilpose_nano.onnx")
    assert (settings.least_score, settings.flip, settings.dark) == (0.4, True, None)
    assert options == {"workers": 3, "address": "head:6379"}
    said = capsys.readouterr().out
    assert "4 people in 3 pictures" in said
    assert "1 of which cannot be read; 2 pictures were done before" in said


@pytest.mark.slow
def test_a_job_writes_parts_and_overwrites_on_demand(picture, model, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out"

    def predict(*flags):
        command = ["predict", model, picture, "--engine", "ray", "--workers", 1]
        return in_own_process(exit_code, [*command, "--out", out, *flags])

    assert predict("--whole-image") == 0
    (row,) = parquet.read_table(out / "part-000001.parquet").to_pylist()
    assert (row["file_name"], row["image_id"]) == (str(picture), 7)
    assert json.loads((out / "_job.json").read_text())["whole_image"] is True
    assert predict() == 2
    assert predict("--overwrite", "--flip") == 0
    assert json.loads((out / "_job.json").read_text())["flip"] is True
