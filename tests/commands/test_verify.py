"""`distilpose verify`: figures, and exit codes that say whether a file will do."""

import json

import pytest


@pytest.fixture
def verify(command):
    return command("verify")


@pytest.fixture(scope="module")
def reference(student, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "student.keras"
    student.save(path)
    return path


@pytest.mark.slow
def test_files_are_measured_in_their_runtimes(
    verify, reference, exported, data, tmp_path, capsys
):
    files = [exported("float32.tflite"), exported("float32.onnx")]
    out = tmp_path / "verified.json"
    assert verify(reference, *files, "--data", data, "--json", out) == 0
    printed = capsys.readouterr()
    rows = json.loads(out.read_text())
    assert [row["file"] for row in rows] == [str(reference), *map(str, files)]
    keys = "runtime precision bytes AP ap_drop max_keypoint_error_px latency_ms"
    for row in rows:
        assert set(keys.split()) <= row.keys()
        assert f"{row['ap_drop']:.2f}" in printed.out


@pytest.mark.parametrize(("limit", "code"), [(0.18, 1), (0.19, 0), (20, 0)])
def test_the_limit_is_in_points_and_decides_the_exit_code(
    verify, reference, data, monkeypatch, capsys, limit, code
):
    rows = [
        {"file": "student.keras", "AP": 0.5, "ap_drop": 0.0},
        {"file": "student.onnx", "AP": 0.4981, "ap_drop": 0.19},
    ]
    monkeypatch.setattr("distilpose_keras.export.verify.verify", lambda *_, **__: rows)
    arguments = (reference, reference, "--data", data, "--max-ap-drop", limit)
    assert verify(*arguments) == code
    printed = capsys.readouterr()
    assert ("student.onnx loses more than" in printed.err) == bool(code)
    assert "student.keras loses" not in printed.err


def test_a_file_of_something_else_is_one_line(
    verify, reference, data, tmp_path, mistake
):
    other = tmp_path / "other.onnx"
    other.write_bytes(b"something else")
    assert verify(reference, other, "--data", data) == 2
    assert "other.onnx: not an ONNX file" in mistake()


@pytest.mark.parametrize("missing", ["gone.keras", "gone.tflite"])
def test_a_missing_file_is_one_line(verify, reference, data, mistake, missing):
    given = (
        [missing, "gone.tflite"] if missing == "gone.keras" else [reference, missing]
    )
    assert verify(*given, "--data", data) == 2
    assert f"no such file: {missing}" in mistake()
