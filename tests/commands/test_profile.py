"""`distilpose profile`: the same figures in the table and in the JSON."""

import json

import pytest


@pytest.fixture
def profile(command, capsys):
    """Run the command; return exit code, output and errors."""
    run = command("profile")

    def call(*arguments):
        return run(*arguments), *capsys.readouterr()

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
