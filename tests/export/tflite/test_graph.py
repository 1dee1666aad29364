"""TFLite graphs: what their layers read, and that reading them changes nothing."""

import numpy as np
import pytest

from distilpose_keras.export.tflite import graph as tflite_graph
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.tflite_file import read_model


@pytest.fixture(scope="module")
def content(exported):
    return exported("float32.tflite").read_bytes()


@pytest.fixture(scope="module")
def values(content, crops):
    return tflite_graph.open_with_all_outputs(content)(crops[:1].astype("float32"))


def test_all_outputs_are_those_of_the_file(values, exported, crops):
    expected = open_runtime(exported("float32.tflite")).run(crops[:1])
    for name, wanted in expected.items():
        np.testing.assert_allclose(values[name], wanted, atol=1e-5)


def test_every_operator_has_a_value(content, values):
    names = {operator.name for operator in tflite_graph.operators(content)}
    assert values.keys() == names | {"image"}


def test_rows_times_weights_are_what_a_layer_computes(content, values):
    model = read_model(content)
    layers = tflite_graph.weighted_layers(content)
    by_weights = {layer.weights: (layer, w) for layer, w in layers.items()}
    windows = set()
    for op, operator in zip(
        model.subgraphs[0].operators, tflite_graph.operators(content), strict=True
    ):
        if operator.kind not in ("CONV_2D", "FULLY_CONNECTED"):
            continue
        name = model.subgraphs[0].tensors[op.inputs[1]].name.decode()
        layer, weights = by_weights[name]
        windows.add(layer.window)
        found = layer.rows(values[layer.source]) @ weights.T
        found += tflite_graph.constant(model, op.inputs[2])
        if op.builtinOptions.fusedActivationFunction:
            found = np.maximum(found, 0)
        wanted = values[operator.name].reshape(found.shape)
        np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert None in windows  # linear maps
    assert len(windows) > 2  # convolutions of several sizes


def test_squares_as_products_compute_the_same(content, crops):
    kinds = {op.kind for op in tflite_graph.operators(content)}
    assert "SQUARE" in kinds
    changed = tflite_graph.squares_as_products(content)
    kinds = {op.kind for op in tflite_graph.operators(changed)}
    assert "SQUARE" not in kinds
    image = crops[:1].astype("float32")
    found, expected = (
        tflite_graph.open_with_all_outputs(c)(image)["keypoints"]
        for c in (changed, content)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
