"""Latency of named models: their rows, and what is not one."""

import numpy as np
import pytest

from distilpose_keras.benchmarks import models
from tests.benchmarks.arguments import of


def test_a_row_by_hand():
    # The machine was half as fast in the last round: the ratio is 3 in each.
    seconds = np.array([[0.01, 0.03], [0.01, 0.03], [0.02, 0.06]])
    assert models.row("distilpose_l", seconds, 85_240_000) == {
        "model": "distilpose_l",
        "family": "DistilPose",
        "input": "256x192",
        "params_m": 21.27,
        "gmacs": 10.61,
        "mb": 85.2,
        "ms": 30.0,
        "ratio": 3.0,
        "paper_ap": 74.4,
    }


def test_an_unknown_model_is_refused_before_any_is_written(monkeypatch):
    monkeypatch.setattr(models, "write_model", None)
    with pytest.raises(ValueError, match="no model is called distilpose_m"):
        models.run(of("models", "distilpose_s", "distilpose_m"))
    with pytest.raises(ValueError, match="must end in .png. Received: chart.txt"):
        models.run(of("models", "--chart", "chart.txt"))


@pytest.mark.slow
def test_models_come_the_fastest_first(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "REFERENCE", "demo_student")
    chart = tmp_path / "chart.png"
    names = ("rtmpose_t", "demo_student")
    arguments = of("models", *names, "--rounds", "3", "--chart", chart)
    fast, slow = models.run(arguments)
    assert (fast["model"], slow["model"]) == ("demo_student", "rtmpose_t")
    assert fast["ms"] < slow["ms"] and slow["ratio"] > 5
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_all_up_to_a_size_are_measured(monkeypatch):
    written = []
    monkeypatch.setattr(
        models, "write_model", lambda name, path: written.append(name) or path
    )

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "open_call", stop)
    with pytest.raises(KeyboardInterrupt):
        models.run(of("models", "--largest", "0.01"))
    assert written == ["distilpose_s", "demo_student"]
