"""`distilpose convert`: all weights of a checkpoint, or a list of what is missing."""

import numpy as np
import pytest
import recipe

from distilpose_keras.models.checkpoints import state_dict
from distilpose_keras.models.model import build_model, load_model


@pytest.fixture
def convert(command, capsys):
    """Run the command; return exit code, output and errors."""
    run = command("convert")

    def call(*arguments):
        return run(*arguments), *capsys.readouterr()

    return call


def test_a_checkpoint_becomes_a_keras_file_or_an_error(convert, tmp_path):
    shapes = {k: v.shape for k, v in state_dict(build_model("demo_student")).items()}
    state = {key: recipe.fill(key, shape) for key, shape in shapes.items()}
    checkpoint, out = tmp_path / "student.npz", tmp_path / "student.keras"
    np.savez(checkpoint, **state)
    code, output, errors = convert(checkpoint, "--model", "demo_student", "--out", out)
    assert code == 0, errors
    assert f"filled {len(state)} weights, kept 0" in output
    model = load_model(out)
    expected = {"checkpoint": "student.npz", "confidence": True}  # scores were taught
    assert model.metadata == expected
    for key, value in state_dict(model).items():
        np.testing.assert_array_equal(value, state[key])

    code, _, errors = convert(
        checkpoint, "--model", "demo_teacher", "--out", tmp_path / "teacher.keras"
    )
    assert code == 2
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in errors
    assert "missing: " in lines[0] and "unread: " in lines[0]
    assert not (tmp_path / "teacher.keras").exists()
