"""What the README shows runs, what it names is there, and it is read in two minutes."""

import re

import pytest

from distilpose_keras.models.model import build_model
from distilpose_keras.synthetic import render_dataset


@pytest.fixture
def example(root, tmp_path):
    """The README's own training code, on small models and a rendered data set."""
    text = (root / "README.md").read_text()
    (code,) = [
        b for b in re.findall(r"```python\n(.*?)```", text, re.S) if ".fit(" in b
    ]
    render_dataset(tmp_path / "coco", train_images=4, val_images=1, workers=1)
    build_model("demo_teacher").save(tmp_path / "teacher.keras")
    for shown, small in {
        '"coco"': repr(str(tmp_path / "coco")),
        '"teacher.keras"': repr(str(tmp_path / "teacher.keras")),
        '"distilpose_s"': '"demo_student"',
        "batch_size=32": "batch_size=2, input_size=(64, 48)",
        "epochs=300": "epochs=1",
    }.items():
        assert code.count(shown) == 1
        code = code.replace(shown, small)
    return code


@pytest.mark.backend
def test_the_users_own_code_trains(example):
    names = {}
    exec(example, names)
    history = names["distiller"].history.history
    assert set(history) == {
        "loss",
        "regression",
        "keypoint_token",
        "visual_token",
        "simulated_heatmap",
        "score",
    }


def test_a_stranger_reads_it_in_two_minutes(root):
    lines = (root / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    # The two commands: .ci/run takes the second one from here.
    commands = [line for line in lines if line.startswith("python -m venv .venv && ")]
    assert ["recipes/" in line for line in commands] == [True, False]
    assert "&& python -m pytest" in commands[1]


def test_what_it_links_to_is_there(root):
    text = (root / "README.md").read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 15
    assert [link for link in links if not (root / link).exists()] == []


def test_it_names_commands_that_are_there(root):
    from distilpose_keras.commands.main import COMMANDS

    text = (root / "README.md").read_text()
    named = {
        name.replace("-", "_") for name in re.findall(r"`distilpose ([a-z-]+)", text)
    }
    assert len(named) > 6
    assert named <= set(COMMANDS)
