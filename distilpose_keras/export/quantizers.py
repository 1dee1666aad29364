"""A model, its graph and its calibration: what is quantized, in one place.

`TFLiteQuantizer` and `ONNXQuantizer` look alike. ``plan`` is a dict of `Operator` to
precision, `build(plan)` returns the bytes of a whole file, and `wider` says what an
operator's precision is exchanged for where it costs too much accuracy.
"""

from rich.progress import Progress

from distilpose_keras.export.calibration import check_crops
from distilpose_keras.export.convert import float_onnx, float_tflite
from distilpose_keras.export.integers import integer_plan, planned_ranges
from distilpose_keras.export.precision import DYNAMIC, FLOAT, INT8, INT16
from distilpose_keras.export.rounding import compensated
from distilpose_keras.export.statistics import collect
from distilpose_keras.export.tflite import graph as tflite_graph
from distilpose_keras.export.tflite.quantize import quantize, selective
from distilpose_keras.formats.metadata import describe, embed_onnx
from distilpose_keras.formats.tflite_file import embed, name_inputs_and_outputs


class TFLiteQuantizer:
    """Quantizes a model's TFLite graph, ``"int8"`` or ``"int8-full"``."""

    runtime = "tflite"

    def __init__(self, model, precision, calibration, *, progress=None):
        """Convert and calibrate; `calibrate` shows how far it is.

        Args:
            model: a `PoseModel`.
            precision: ``"int8"`` or ``"int8-full"``.
            calibration: (N, H, W, 3) uint8 RGB crops.
            progress: None, or a function called after each crop.
        """
        self.model, self.precision = model, precision
        self.integer = precision == "int8-full"
        self.graph = float_tflite(model, for_integers=self.integer)
        if self.integer:
            self.graph = tflite_graph.squares_as_products(self.graph)
        self.plan = (integer_plan if self.integer else selective)(self.graph)
        layers = tflite_graph.weighted_layers(self.graph)
        run = tflite_graph.open_with_all_outputs(self.graph)
        statistics = collect(run, calibration, layers, progress=progress)
        self._ranges = statistics.ranges
        self._rounded = _round(layers, statistics)

    def wider(self, operator, precision):
        """Return the next precision: integers stay integers, or end at float32."""
        if self.integer:
            return INT16
        dynamic = precision == INT8 and operator.kind == "CONV_2D"
        return DYNAMIC if dynamic else FLOAT

    def build(self, plan):
        """Return the bytes of the file that computes each operator as planned."""
        content = quantize(
            self.graph,
            plan,
            planned_ranges(self.graph, plan, self._ranges),
            self._rounded,
            # A graph with floating-point operators keeps its floating-point interface.
            integer_interface=FLOAT not in plan.values(),
        )
        return finish_tflite(content, self.model, self.precision)


class ONNXQuantizer:
    """Quantizes a model's ONNX graph."""

    runtime = "onnx"
    precision = "int8"

    def __init__(self, model, precision, calibration, *, progress=None):
        """Convert and calibrate; the arguments are those of `TFLiteQuantizer`."""
        from distilpose_keras.export.onnx import plan as onnx_plan

        self.model = model
        self.graph = tidy_onnx(model)
        self.plan = onnx_plan.selective(self.graph)
        layers = onnx_plan.weighted_layers(self.graph)
        run = onnx_plan.open_with_outputs(self.graph, layers)
        statistics = collect(run, calibration, layers, progress=progress)
        self._ranges = statistics.ranges
        self._rounded = _round(layers, statistics, in_pairs=True)

    def wider(self, operator, precision):
        """Return the next precision: float32."""
        return FLOAT

    def build(self, plan):
        """Return the bytes of the file that computes each operator as planned."""
        from distilpose_keras.export.onnx import quantize as onnx_quantize

        proto = onnx_quantize.quantize(self.graph, plan, self._ranges, self._rounded)
        return finish_onnx(proto, self.model, self.precision)


def calibrate(kind, model, precision, crops, *, progress=False):
    """Make a quantizer, with a progress bar if wanted.

    Args:
        kind: `TFLiteQuantizer` or `ONNXQuantizer`.
        model: a `PoseModel`.
        precision: as the kind takes it.
        crops: (N, H, W, 3) uint8 RGB calibration crops.
        progress: show the bar.
    """
    check_crops(crops, model)
    with Progress(transient=True, disable=not progress) as bar:
        task = bar.add_task("calibrating", total=len(crops))
        return kind(model, precision, crops, progress=lambda: bar.advance(task))


def _round(layers, statistics, *, in_pairs=False):
    """Weights (out, K) as int8, by name."""
    moments = statistics.moments
    return {
        layer.weights: compensated(weights, moments[layer.weights], in_pairs=in_pairs)[
            0
        ]
        for layer, weights in layers.items()
    }


def finish_tflite(content, model, precision):
    """Name inputs and outputs of a converted TFLite file and embed the metadata."""
    document = describe(model, runtime="tflite", precision=precision)
    return embed(name_inputs_and_outputs(content), document)


def tidy_onnx(model):
    """Convert a model to a float32 ``ModelProto`` in its final form."""
    import onnx

    from distilpose_keras.export.onnx.graph import tidy

    proto = onnx.load_from_string(float_onnx(model))
    tidy(proto)
    return proto


def finish_onnx(proto, model, precision):
    """Embed the metadata in an ONNX model, check it and return the file's bytes."""
    import onnx

    embed_onnx(proto, describe(model, runtime="onnx", precision=precision))
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString()
