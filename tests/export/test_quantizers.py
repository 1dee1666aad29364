"""A student, its graph and its calibration together."""

import numpy as np
import pytest

from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, INT16, Operator
from distilpose_keras.export.quantizers import (
    ONNXQuantizer,
    TFLiteQuantizer,
    calibrate,
)
from distilpose_keras.formats.runtimes import open_runtime

CONV = Operator("conv", "CONV_2D", 4, True)
ADD = Operator("add", "ADD", 4, False)
LINEAR = Operator("linear", "FULLY_CONNECTED", 3, True)


@pytest.mark.parametrize(
    "kind, integer, operator, steps",
    [
        (TFLiteQuantizer, True, CONV, [INT8, INT16, INT16]),
        (TFLiteQuantizer, False, CONV, [INT8, DYNAMIC, FLOAT]),
        (TFLiteQuantizer, False, ADD, [INT8, FLOAT, FLOAT]),
        (TFLiteQuantizer, False, LINEAR, [DYNAMIC, FLOAT]),
        (ONNXQuantizer, False, CONV, [INT8, FLOAT]),
    ],
)
def test_an_operator_gives_way_step_by_step(kind, integer, operator, steps):
    quantizer = kind.__new__(kind)  # without a conversion
    quantizer.integer = integer
    for before, after in zip(steps, steps[1:], strict=False):
        assert quantizer.wider(operator, before) == after


def test_unfit_crops_are_refused_before_anything_is_converted(student, crops):
    def kind(*_, **__):
        raise AssertionError("must not be made")

    with pytest.raises(ValueError, match="at least 16 crops. Received: 3"):
        calibrate(kind, student, "int8", crops[:3])


def test_compensated_rounding_brings_a_file_nearer_to_its_model(
    student, crops, tmp_path
):
    truth = open_runtime(student).run(crops)
    quantizer = TFLiteQuantizer(student, "int8", crops)
    errors = []
    for rounded in (quantizer._rounded, {}):
        quantizer._rounded = rounded
        path = tmp_path / "student.tflite"
        path.write_bytes(quantizer.build(quantizer.plan))
        found = open_runtime(path).run(crops)
        errors.append(np.abs(found["keypoints"] - truth["keypoints"]).mean())
    assert errors[0] < errors[1]
