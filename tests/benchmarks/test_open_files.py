"""Files of others, opened and run."""

import pytest

from distilpose_keras.benchmarks.open_files import (
    open_call,
    precision_of,
    takes_batches,
)


def write_onnx(path, *shapes, kind=None):
    """A file of somebody else's: the sum of its inputs, and no description."""
    from onnx import TensorProto, helper, save

    kind = kind or TensorProto.FLOAT
    names = [f"in{i}" for i in range(len(shapes))]
    inputs = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, shape in zip(names, shapes, strict=True)
    ]
    output = helper.make_tensor_value_info("out", kind, None)
    node = helper.make_node("Sum" if len(names) > 1 else "Identity", names, ["out"])
    graph = helper.make_graph([node], "other", inputs, [output])
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return str(path)


def test_files_of_others_are_run_as_they_are(tmp_path):
    from onnx import TensorProto

    fixed = write_onnx(tmp_path / "a.onnx", (1, 8, 6, 3), kind=TensorProto.INT32)
    any_count = write_onnx(tmp_path / "b.onnx", ("N", 3, 8, 6))
    for file in (fixed, any_count):
        assert precision_of(file) == ""
    assert [takes_batches(f) for f in (fixed, any_count)] == [False, True]
    (found,) = open_call(fixed)()
    assert found.shape == (1, 8, 6, 3)
    assert found.dtype == "int32" and 200 < found.max() < 256
    (found,) = open_call(any_count, batch=4)()
    assert found.shape == (4, 3, 8, 6)


@pytest.mark.parametrize(
    "shapes", [((1, 8, 6, 3), (1, 8, 6, 3)), ((1, "height", "width", 3),)]
)
def test_models_that_take_no_picture_of_a_known_size_are_refused(tmp_path, shapes):
    file = write_onnx(tmp_path / "other.onnx", *shapes)
    with pytest.raises(
        ValueError, match=r"other.onnx: expected a model that takes one"
    ):
        open_call(file)
