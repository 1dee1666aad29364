"""OKDHP's network of branches against the published one."""

import keras
import numpy as np
import pytest

from distilpose_keras.losses.okdhp import ramp_up
from distilpose_keras.models.deploy import deploy
from distilpose_keras.models.model import PoseModel
from distilpose_keras.models.presets import MODELS
from distilpose_keras.profiling.model import profile_model
from distilpose_keras.training.trainer import PoseTrainer
from tests.models.heatmap_parity import assert_close, assert_parity, heatmaps, published
from tests.models.shrunken import shrunken

TOLERANCE = 1e-3
OF_PARITY = [
    pytest.param(name, marks=pytest.mark.parity)
    for name in ("okdhp_4stack", "okdhp_4stack_shared")
]


def output_names(config):
    """The references' names of all outputs, in order."""
    shared = [f"shared_s{i}" for i in range(config.shared)]
    branches = range(config.branches)
    return shared + [f"b{b}_s{i}" for b in branches for i in range(config.stacks)]


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize("name", ["okdhp_2stack", *OF_PARITY])
def test_published_weights_give_the_published_branches_and_ensemble(name):
    model, arrays = published(name)
    names = output_names(model.pose_config)
    outputs = heatmaps(model, output="stacked_heatmaps")
    assert outputs.shape[1] == len(names)
    for i, output in enumerate(names):
        assert_close(outputs[:, i], arrays[f"pred_{output}"], output, TOLERANCE)
    # Of four stacks, the published code takes other outputs for the branches' last.
    last = "pred_ensemble_last" if "pred_ensemble_last" in arrays else "pred_ensemble"
    ensemble = heatmaps(model, output="ensemble")
    assert_close(ensemble, arrays[last], "ensemble", TOLERANCE)
    first = f"b0_s{model.pose_config.stacks - 1}"
    expected = {"pred": arrays[f"pred_{first}"]}
    for ours, theirs in (
        ("keypoints", "keypoints"),
        ("scores", "score"),
        ("stable", "stable"),
    ):
        expected[ours] = arrays[f"{theirs}_{first}"]
        expected[f"{ours}_flip_test"] = arrays[f"{theirs}_flip_{first}"]
    assert_parity(model, expected, tolerance=TOLERANCE, size=(48, 64))


def test_one_branch_is_deployed():
    model = PoseModel(shrunken(MODELS["okdhp_2stack"]))
    branch = PoseModel(shrunken(MODELS["hourglass_2stack"]))
    found, expected = (profile_model(deploy(m, batch_size=1)) for m in (model, branch))
    assert found.gmacs == expected.gmacs
    assert found.total_params == expected.total_params


@pytest.mark.slow
@pytest.mark.backend
def test_training_ramps_the_distillation_up():
    model = PoseModel(shrunken(MODELS["okdhp_2stack"]))
    trainer = PoseTrainer(model)
    trainer.compile(optimizer=keras.optimizers.SGD(0.0), jit_compile=False)
    rng = np.random.default_rng(0)
    height, width = model.pose_config.input_size
    batch = (
        rng.normal(size=(4, height, width, 3)).astype("float32"),
        {
            "keypoints": rng.uniform(size=(4, 17, 2)).astype("float32"),
            "weights": np.ones((4, 17, 1), "float32"),
        },
    )
    history = trainer.fit(
        *batch, batch_size=4, epochs=32, initial_epoch=30, verbose=0
    ).history
    assert set(history) == {"loss", "heatmap", "ensemble", "distillation"}
    ratio = history["distillation"][1] / history["distillation"][0]
    expected = float(ramp_up(31)) / float(ramp_up(30))
    assert expected > 1.05
    # Batch-norm's statistics of training are the batch's: nothing else has changed. A
    # divergence of 6e-7 is summed in float32: it has three digits.
    assert ratio == pytest.approx(expected, rel=1e-2)
