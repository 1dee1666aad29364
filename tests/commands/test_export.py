"""`distilpose export`: the files it writes, and one line for a mistake."""

import pytest

from distilpose_keras.formats.metadata import read_metadata
from distilpose_keras.formats.runtimes import open_runtime


@pytest.fixture
def export(command):
    return command("export")


@pytest.mark.slow
def test_the_suffix_says_the_format(export, model, tmp_path, capsys):
    for name, runtime in (("student.tflite", "tflite"), ("student.onnx", "onnx")):
        out = tmp_path / name
        assert export(model, "--out", out) == 0
        assert f"{out}: float32, 0." in capsys.readouterr().out
        assert open_runtime(out).name == runtime


@pytest.mark.slow
def test_int8_from_a_data_set(export, model, data, tmp_path, capsys):
    out = tmp_path / "student.tflite"
    calibration = ("--calibration", data, "--calibration-size", 16)
    assert export(model, "--precision", "int8", *calibration, "--out", out) == 0
    assert read_metadata(out)["precision"] == "int8"
    assert "int8, 0." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["MODEL", "--out", "x.pb"], "--out must end in .tflite or .onnx"),
        (
            ["MODEL", "--format", "tflite", "--out", "x.onnx"],
            "--out must end in .tflite. Received: x.onnx",
        ),
        (["MODEL", "--precision", "int4", "--out", "x.tflite"], "must be one of"),
        (
            ["MODEL", "--precision", "int8-full", "--out", "x.onnx"],
            "of .onnx must be one of float32, float16, int8. Received: int8-full",
        ),
        (["MODEL", "--precision", "int8", "--out", "x.tflite"], "needs --calibration"),
        (["MODEL", "--report", "r.json", "--out", "x.onnx"], "needs --max-ap-drop"),
        (["MODEL", "--max-ap-drop", "1", "--out", "x.onnx"], "needs --precision int8"),
        (["gone.keras", "--out", "x.onnx"], "no such file: gone.keras"),
        (["MODEL", "--out", "MODEL/x.onnx"], "is a file, not a folder"),
    ],
)
def test_mistakes_are_one_line(
    export, model, mistake, tmp_path, monkeypatch, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    assert export(*(a.replace("MODEL", str(model)) for a in arguments)) == 2
    assert complaint in mistake()
    assert not list(tmp_path.iterdir())
