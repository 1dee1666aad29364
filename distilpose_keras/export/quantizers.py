"""A student, its graph and its calibration: what is quantized, in one place.

`TFLiteQuantizer` and `ONNXQuantizer` look alike. ``plan`` is a dict of `Operator` to
precision, `build(plan)` returns the bytes of a whole file, and ``wider`` says what a
precision is exchanged for where it costs too much accuracy.
"""

from distilpose_keras.export import tflite_quantize
from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import float_onnx, float_tflite
from distilpose_keras.export.metadata import describe, embed_onnx
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, INT16
from distilpose_keras.export.ranges import activation_ranges
from distilpose_keras.export.tflite_file import embed, name_inputs_and_outputs


class TFLiteQuantizer:
    """Quantizes a student's TFLite graph, ``"int8"`` or ``"int8-full"``."""

    runtime = "tflite"

    def __init__(self, model, precision, calibration, *, progress=None):
        """Convert and calibrate.

        Args:
            model: a student `PoseModel`.
            precision: ``"int8"`` or ``"int8-full"``.
            calibration: (N, H, W, 3) uint8 RGB crops.
            progress: None, or a function called after each crop.
        """
        check_crops(calibration, model)
        self.model, self.precision = model, precision
        self.integer = precision == "int8-full"
        self.wider = {INT8: INT16} if self.integer else {INT8: FLOAT, DYNAMIC: FLOAT}
        self.graph = float_tflite(model)
        if self.integer:
            self.graph = tflite_quantize.squares_as_products(self.graph)
        choose = tflite_quantize.integer if self.integer else tflite_quantize.selective
        self.plan = choose(self.graph)
        self.ranges = activation_ranges(self.graph, calibration, progress=progress)

    def build(self, plan):
        """Return the bytes of the file that computes each operator as planned."""
        # A graph with floating-point operators keeps its floating-point interface.
        content = tflite_quantize.quantize(
            self.graph,
            plan,
            self.ranges,
            integer_interface=FLOAT not in plan.values(),
        )
        return finish_tflite(content, self.model, self.precision)


class ONNXQuantizer:
    """Quantizes a student's ONNX graph."""

    runtime = "onnx"
    precision = "int8"
    wider = {INT8: FLOAT, DYNAMIC: FLOAT}

    def __init__(self, model, precision, calibration, *, progress=None):
        """Convert and calibrate; the arguments are those of `TFLiteQuantizer`."""
        from distilpose_keras.export import onnx_quantize

        check_crops(calibration, model)
        self.model = model
        self.graph = tidy_onnx(model)
        self.plan = onnx_quantize.selective(self.graph)
        self.ranges = onnx_quantize.activation_ranges(
            self.graph, calibration, progress=progress
        )

    def build(self, plan):
        """Return the bytes of the file that computes each operator as planned."""
        from distilpose_keras.export import onnx_quantize

        proto = onnx_quantize.quantize(self.graph, plan, self.ranges)
        return finish_onnx(proto, self.model, self.precision)


def finish_tflite(content, model, precision):
    """Name inputs and outputs of a converted TFLite file and embed the metadata."""
    document = describe(model, runtime="tflite", precision=precision)
    return embed(name_inputs_and_outputs(content), document)


def tidy_onnx(model):
    """Convert a student to a float32 ``ModelProto`` in its final form."""
    import onnx

    from distilpose_keras.export.onnx_graph import tidy

    proto = onnx.load_from_string(float_onnx(model))
    tidy(proto)
    return proto


def finish_onnx(proto, model, precision):
    """Embed the metadata in an ONNX model, check it and return the file's bytes."""
    import onnx

    embed_onnx(proto, describe(model, runtime="onnx", precision=precision))
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()
