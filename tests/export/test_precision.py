"""Operators say which layer they come from."""

import pytest

from distilpose_keras.export.precision import Operator


@pytest.mark.parametrize(
    "name, origin, label",
    [
        ("model/backbone-conv1/convolution", "", "backbone-conv1"),
        # Of fused operations the first that names a layer; Keras' counter goes.
        ("model/add;model/norm_12/mul;model/dense/MatMul", "", "norm"),
        ("model/add;other", "", "add"),
        ("Relu:0", "", "Relu"),
        # A converter's own name is no name: that of the weights tells.
        ("Identity:0", "model/head_1/kernel", "head"),
    ],
)
def test_a_label_is_the_layer_that_a_name_tells(name, origin, label):
    assert Operator(name, "ADD", 3, False, origin).label == label
