"""Six training steps of DistilPose-S, against the published implementation."""

import json

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.models.checkpoints import load_checkpoint, torch_keys
from distilpose_keras.models.model import build_model
from distilpose_keras.training.optimizers import Adam

# Ours by the names of the reference.
TERMS = {
    "reg": "regression",
    "kpt_token": "keypoint_token",
    "vis_token": "visual_token",
    "score": "score",
    "simulated_heatmap": "simulated_heatmap",
    "total": "loss",
}
LAYOUTS = {4: (3, 2, 0, 1), 2: (1, 0)}  # (h, w, in, out) and (in, out) to PyTorch's


def published(root, name):
    """A model with the weights of the references."""
    reference = root / "tests" / "data" / "parity" / "models" / f"{name}.json"
    keys = json.loads(reference.read_text())["state_dict"]
    model = build_model(name)
    weights = {
        key: recipe.fill(key, shape) for key, shape, kind in keys if kind == "filled"
    }
    load_checkpoint(model, weights)
    return model


class GradientReader(Adam):
    """Adam that keeps the gradients of the first step in variables."""

    def build(self, variables):
        super().build(variables)
        self.first = [
            self.add_variable_from_reference(v, name="first_gradient")
            for v in variables
        ]

    def apply(self, grads, trainable_variables=None):
        is_first = keras.ops.equal(self.iterations, 0)
        for first, gradient in zip(self.first, grads, strict=True):
            first.assign(keras.ops.where(is_first, gradient, first.value))
        super().apply(grads, trainable_variables)


@pytest.fixture(scope="module")
def training(root, parity):
    """The reference, our losses before each step and gradients at the first."""
    reference = parity("train_steps")
    student, teacher = (
        published(root, "distilpose_s"),
        published(root, "tokenpose_stemnet"),
    )
    distiller = Distiller(student=student, teacher=teacher)
    optimizer = GradientReader(float(reference["learning_rate"]))
    optimizer.build(distiller.trainable_variables)
    distiller.compile(optimizer=optimizer)
    images = recipe.images(4, seed=9)
    targets = {
        "keypoints": reference["target"],
        "weights": np.ones((4, 17, 1), "float32"),
    }
    losses = []
    for _ in range(len(reference["losses"])):
        metrics = distiller.train_on_batch(images, targets, return_dict=True)
        losses.append([float(metrics[TERMS[term]]) for term in reference["terms"]])
    first = dict(
        zip(map(id, distiller.trainable_variables), optimizer.first, strict=True)
    )
    gradients = {
        key: first[id(variable)]
        for key, (_, variable) in torch_keys(student).items()
        if f"grad/{key}" in reference
    }
    return reference, np.array(losses), gradients


@pytest.mark.slow
@pytest.mark.backend
def test_losses_before_the_first_step_equal_the_published_ones(training):
    reference, losses, _ = training
    np.testing.assert_allclose(losses[0], reference["losses"][0], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.backend
def test_losses_of_six_steps_follow_the_published_ones(training):
    """Float32 noise grows from step to step, most in the score: it is read at rounded
    coordinates. A float64 run of this test ends 1.8e-3 from the reference's total."""
    reference, losses, _ = training
    score = list(reference["terms"]).index("score")
    smooth = [i for i in range(len(reference["terms"])) if i != score]
    early, ours = reference["losses"][:3, smooth], losses[:3, smooth]
    np.testing.assert_allclose(ours, early, rtol=3e-3)
    total = list(reference["terms"]).index("total")
    np.testing.assert_allclose(
        losses[:5, total], reference["losses"][:5, total], rtol=1e-3
    )
    np.testing.assert_allclose(
        losses[5, total], reference["losses"][5, total], rtol=3e-3
    )
    np.testing.assert_allclose(
        losses[:, score], reference["losses"][:, score], atol=2e-3
    )


@pytest.mark.slow
@pytest.mark.backend
def test_gradients_of_the_first_step_equal_the_published_ones(training):
    reference, _, gradients = training
    assert len(gradients) == 7
    for key, gradient in gradients.items():
        expected = reference[f"grad/{key}"]
        gradient = keras.ops.convert_to_numpy(gradient)
        if gradient.ndim in LAYOUTS:
            gradient = gradient.transpose(LAYOUTS[gradient.ndim])
        # Of the backbone, float32 and float64 gradients differ by up to 0.8% of the
        # largest one, also in the published implementation.
        tolerance = 1e-2 if key.startswith("backbone") else 5e-4
        np.testing.assert_allclose(
            gradient.reshape(expected.shape),
            expected,
            atol=tolerance * np.abs(expected).max(),
            err_msg=key,
        )
