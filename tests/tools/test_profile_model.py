"""The profile_model command."""

import importlib.util
import json

import pytest

from distilpose_keras.cli import run

SCRIPT = "tools/profile_model.py"


@pytest.fixture
def profile(root, capsys):
    """Run the command as its script does; return exit code, output and errors."""
    spec = importlib.util.spec_from_file_location("command", root / SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*args):
        with pytest.raises(SystemExit) as info:
            run(module.main, [str(arg) for arg in args])
        return info.value.code, *capsys.readouterr()

    return call


def test_the_table_and_the_json_hold_the_same_figures(profile, tmp_path):
    path = tmp_path / "profile.json"
    code, output, errors = profile("demo_student", "demo_teacher", "--json", path)
    assert code == 0, errors
    student, teacher = json.loads(path.read_text())
    assert set(student) == {
        "model",
        "trainable_params",
        "total_params",
        "gmacs",
        "gflops_paper",
        "outputs",
    }
    assert student["model"] == "demo_student"
    assert f"{student['trainable_params']:,}" in output
    assert f"{teacher['gmacs']:.4g}" in output


def test_an_unknown_name_is_one_line_and_exit_2(profile):
    code, _, errors = profile("distilpose_xl")
    assert code == 2
    assert [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in errors
