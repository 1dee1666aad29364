"""The training of the preset as its users start it; see `recipe/test_nano` too."""

import keras
import numpy as np
import pytest
from tiny_movenet import write_graph

from distilpose_keras.synthetic import render_dataset
from distilpose_keras.synthetic.casting import UPRIGHT


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nano") / "data"
    render_dataset(folder, train_images=2, val_images=1, casting=UPRIGHT, workers=1)
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Weights of something else."""
    path = tmp_path_factory.mktemp("weights") / "other.json"
    write_graph(path, {"conv": np.zeros((1, 1), "float32")})
    return path


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (["--movenet", "nowhere.json"], "nowhere.json"),
        (["--data", "nowhere"], "nowhere"),
        (["--batch-size", "0"], "--batch-size: must be at least 1. Received: 0"),
        ([], "weights of MoveNet lack"),
    ],
)
def test_mistakes_are_one_line(
    command, data, other, tmp_path, mistake, monkeypatch, argument, message
):
    # The command asks for PyTorch; processes that later tests start must not get it.
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    given = ["--data", data, "--movenet", other, "--out", tmp_path / "run", *argument]
    assert command("train-nano")(*given) == 2
    assert message in mistake()
