"""The losses of RLE and its flow against the published implementations."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.losses import rle
from distilpose_keras.losses.flow import RealNVP

CASES = ["all_visible", "some_hidden"]


def flow_weights(prefix="flow."):
    shapes = {0: (64, 2), 2: (64, 64), 4: (2, 64)}
    keys = {}
    for net in "st":
        for i in range(6):
            for index, shape in shapes.items():
                keys[f"{prefix}{net}.{i}.{index}.weight"] = shape
                keys[f"{prefix}{net}.{i}.{index}.bias"] = shape[:1]
    return {key: recipe.fill(key, shape) for key, shape in keys.items()}


@pytest.fixture(scope="module")
def flow():
    flow = RealNVP()
    flow.load_published(flow_weights())
    return flow


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/rle/losses")


def inputs_of(reference, case):
    """Predictions, and what does not depend on them."""
    arrays = {
        key: reference[f"{case}/in_{key}"].astype("float32")
        for key in ("coords", "sigma_logit", "target", "weight")
    }
    predictions = {key: arrays[key] for key in ("coords", "sigma_logit")}
    return predictions, (arrays["target"], arrays["weight"][..., :1])


def assert_close(value, expected, tolerance=1e-4):
    """Within the SPEC's relative tolerance; of the largest, for a gradient."""
    atol = tolerance * np.abs(expected).max() if np.ndim(expected) else 0
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=atol)


@pytest.mark.backend
def test_flow_gives_the_published_density_and_gradient(
    reference, flow, value_and_gradients
):
    points = reference["flow_x"].astype("float32")
    density = keras.ops.convert_to_numpy(flow(points))
    assert_close(density, reference["flow_log_prob"])
    _, gradients = value_and_gradients(
        lambda t: keras.ops.sum(flow(t["points"])), {"points": points}
    )
    assert_close(gradients["points"], reference["flow_grad_x"])


def test_density_of_the_flow_integrates_to_one(flow):
    grid = np.linspace(-12, 12, 241, dtype="float32")
    points = np.stack(np.meshgrid(grid, grid), axis=-1)
    density = np.exp(keras.ops.convert_to_numpy(flow(points)))
    assert density.sum() * (grid[1] - grid[0]) ** 2 == pytest.approx(1, abs=5e-3)


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "prefix, loss",
    [
        ("", rle.rle_loss),
        ("mmpose_laplace/", rle.rle_laplace_loss),
        ("mmpose_gaussian/", rle.rle_gaussian_loss),
    ],
)
def test_losses_and_gradients_equal_the_published_ones(
    reference, flow, value_and_gradients, case, prefix, loss
):
    predictions, (targets, weights) = inputs_of(reference, case)

    def total(tensors):
        sigmas = keras.ops.sigmoid(tensors["sigma_logit"])
        return loss(tensors["coords"], sigmas, targets, weights, flow)

    value, gradients = value_and_gradients(total, predictions)
    assert_close(value, reference[f"{case}/{prefix}loss_total"])
    for key, gradient in gradients.items():
        assert_close(gradient, reference[f"{case}/{prefix}grad_{key}"])


@pytest.mark.backend
def test_weights_of_the_flow_get_the_published_gradients(
    reference, flow, value_and_gradients
):
    predictions, (targets, weights) = inputs_of(reference, "some_hidden")
    sigmas = 1 / (1 + np.exp(-predictions["sigma_logit"]))
    variables = {v.name: v for v in flow.trainable_variables}

    def total(arrays):
        mapping = [(variables[name], array) for name, array in arrays.items()]
        with keras.StatelessScope(state_mapping=mapping):
            return rle.rle_loss(predictions["coords"], sigmas, targets, weights, flow)

    arrays = {k: keras.ops.convert_to_numpy(v) for k, v in variables.items()}
    _, gradients = value_and_gradients(total, arrays)
    for key in ("s.0.0.weight", "s.5.4.bias", "t.0.2.bias", "t.3.4.weight"):
        net, coupling, index, kind = key.split(".")
        name = f"{'kernel' if kind == 'weight' else 'bias'}_{index}"
        gradient = gradients[name][int(coupling), "st".index(net)]
        gradient = gradient.T if kind == "weight" else gradient[0]
        assert_close(gradient, reference[f"some_hidden/grad/flow.{key}"])


def test_flow_has_the_published_number_of_parameters_in_six_variables(flow):
    assert flow.count_params() == 53_784
    assert len(flow.trainable_variables) == 6


def test_fresh_flow_is_initialised_as_linear_layers_of_pytorch():
    for (kernel, bias), inputs in zip(RealNVP().linears, (2, 64, 64), strict=True):
        for variable in (kernel, bias):
            largest = float(keras.ops.max(keras.ops.abs(variable)))
            # Of 24 values or more, the largest is close to the bound.
            assert 0.8 / inputs**0.5 < largest <= 1 / inputs**0.5


def test_flow_is_rebuilt_from_its_configuration_and_weights(flow, tmp_path):
    inputs = keras.Input((17, 2))
    model = keras.Model(inputs, RealNVP(prior_mean=0.5, name="flow")(inputs))
    model.save(tmp_path / "flow.keras")
    again = keras.saving.load_model(tmp_path / "flow.keras")
    points = np.random.default_rng(0).standard_normal((2, 17, 2)).astype("float32")
    np.testing.assert_array_equal(model.predict(points), again.predict(points))


def test_a_missing_key_of_the_flow_is_named():
    weights = flow_weights()
    del weights["flow.t.3.2.bias"]
    with pytest.raises(KeyError, match=r"flow\.t\.3\.2\.bias"):
        RealNVP().load_published(weights)


def test_flow_computes_in_float32_under_a_half_precision_policy(reference):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        flow = RealNVP()
        density = flow(reference["flow_x"].astype("float16"))
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(density.dtype) == "float32"
    assert {v.dtype for v in flow.variables} == {"float32"}


def test_sample_weight_scales_the_loss_of_each_sample(reference, flow):
    predictions, rest = inputs_of(reference, "some_hidden")
    arrays = predictions["coords"], np.exp(predictions["sigma_logit"]), *rest
    each = [rle.rle_loss(*(a[i : i + 1] for a in arrays), flow) for i in range(4)]
    factors = np.array([1.0, 0.5, 0.0, 3.0], "float32")
    weighted = rle.rle_loss(*arrays, flow, sample_weight=factors)
    expected = np.mean([float(e) * f for e, f in zip(each, factors, strict=True)])
    assert float(weighted) == pytest.approx(expected, rel=1e-5)
    assert float(each[3]) == 0  # fully hidden


def test_the_loss_does_not_depend_on_the_origin_of_the_coordinates(reference, flow):
    predictions, (targets, weights) = inputs_of(reference, "all_visible")
    sigmas = 1 / (1 + np.exp(-predictions["sigma_logit"]))
    centered = rle.rle_loss(predictions["coords"], sigmas, targets, weights, flow)
    moved = rle.rle_loss(
        predictions["coords"] + 0.5, sigmas, targets + 0.5, weights, flow
    )
    assert float(moved) == pytest.approx(float(centered), rel=1e-4)
