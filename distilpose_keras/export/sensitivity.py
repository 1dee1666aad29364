"""Mixed precision by measurement: which layers quantization hurts, and by how much.

Each operator is quantized alone and the keypoints it moves are measured. Where the
quantized file loses more AP than allowed, the operators that moved them most go back
to a higher precision, as many as are needed.
"""

import tempfile
from pathlib import Path

import numpy as np
from rich.progress import Progress

from distilpose_keras.evaluation import evaluate
from distilpose_keras.export.calibration import check_schema
from distilpose_keras.export.precision import FLOAT
from distilpose_keras.export.quantizers import ONNXQuantizer, TFLiteQuantizer, calibrate
from distilpose_keras.export.reproduce import write_checked
from distilpose_keras.files import write_json
from distilpose_keras.formats.runtimes import open_runtime

SENSITIVITY_CROPS = 16


def export_within(
    model,
    path,
    *,
    precision,
    calibration,
    people,
    max_ap_drop,
    report=None,
    limit=None,
    progress=False,
):
    """Quantize a student so that it loses at most a given AP.

    Args:
        model: a student `PoseModel`.
        path: the ``.tflite`` or ``.onnx`` file to write.
        precision: ``"int8"``, or ``"int8-full"`` for a ``.tflite``.
        calibration: (N, H, W, 3) uint8 RGB crops.
        people: ground truth to measure AP on, a `PeopleIndex`.
        max_ap_drop: AP points (0 to 100) that may be lost against float32.
        report: None, or a ``.json`` file for the report (see `make_report`), which is
            drawn into a ``.png`` beside it.
        limit: measure AP on the first ``limit`` people only.
        progress: show progress bars.

    Returns:
        the report, a dict.

    Raises:
        ValueError: if the people's keypoints are not the model's, or even the highest
            precision loses more than ``max_ap_drop``.
    """
    check_schema(people, model)
    kind = ONNXQuantizer if Path(path).suffix == ".onnx" else TFLiteQuantizer
    quantizer = calibrate(kind, model, precision, calibration, progress=progress)
    with Progress(transient=True, disable=not progress) as bar:
        errors = layer_errors(quantizer, calibration[:SENSITIVITY_CROPS], bar)

    def drop(plan):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, f"candidate.{quantizer.runtime}")
            file.write_bytes(quantizer.build(plan))
            found = evaluate(file, people, limit=limit, progress=progress)["AP"]
        return 100 * (reference - found)

    reference = evaluate(model, people, limit=limit, progress=progress)["AP"]
    plan, lost = _refine(quantizer, errors, drop, max_ap_drop)
    write_checked(quantizer.build(plan), path, model, precision, calibration)
    result = make_report(quantizer, errors, plan, reference, lost, max_ap_drop)
    if report is not None:
        write_json(report, result)
        draw_report(result, Path(report).with_suffix(".png"))
    return result


def layer_errors(quantizer, crops, bar=None):
    """Measure what quantizing each operator alone does to the keypoints.

    Args:
        quantizer: a `TFLiteQuantizer` or an `ONNXQuantizer`.
        crops: (N, H, W, 3) uint8 RGB.
        bar: None, or a `rich.progress.Progress` to show the work on.

    Returns:
        dict of `Operator` to the mean distance of keypoints, in pixels of the crop,
        between the float32 graph and one with this operator quantized; for all that
        the plan quantizes.
    """
    height, width = quantizer.model.pose_config.input_size
    nothing = dict.fromkeys(quantizer.plan, FLOAT)
    expected = _run(quantizer, nothing, crops)
    candidates = [op for op, p in quantizer.plan.items() if quantizer.wider(op, p) != p]
    errors = {}
    task = bar and bar.add_task("measuring layers", total=len(candidates))
    for operator in candidates:
        alone = {**nothing, operator: quantizer.plan[operator]}
        moved = (_run(quantizer, alone, crops) - expected) * (width, height)
        errors[operator] = float(np.linalg.norm(moved, axis=-1).mean())
        if bar:
            bar.advance(task)
    return errors


def _run(quantizer, plan, crops):
    """Keypoints (N, K, 2) of a planned file, as fractions of the crop."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"candidate.{quantizer.runtime}")
        file.write_bytes(quantizer.build(plan))
        return open_runtime(file).run(crops)["keypoints"]


def _refine(quantizer, errors, drop, max_ap_drop):
    """Widen the fewest of the worst operators that keep the loss within the limit.

    Returns:
        the plan and the AP points it loses.
    """
    worst_first = sorted(errors, key=errors.get, reverse=True)
    # All of them a step wider, worst first; then another step, where there is one.
    steps = worst_first + [op for op in worst_first if _can_widen_twice(quantizer, op)]

    def widened(count):
        plan = dict(quantizer.plan)
        for operator in steps[:count]:
            plan[operator] = quantizer.wider(operator, plan[operator])
        return plan

    # Twice as many each time, then halves between the last two.
    losses = {0: drop(quantizer.plan)}
    too_few, enough = -1, 0
    while losses[enough] > max_ap_drop:
        if enough == len(steps):
            raise ValueError(
                f"{quantizer.precision} loses {losses[enough]:.2f} AP points even "
                f"with every layer in higher precision; the limit is {max_ap_drop}"
            )
        too_few, enough = enough, min(max(2 * enough, 1), len(steps))
        losses[enough] = drop(widened(enough))
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        losses[middle] = drop(widened(middle))
        if losses[middle] > max_ap_drop:
            too_few = middle
        else:
            enough = middle
    return widened(enough), losses[enough]


def _can_widen_twice(quantizer, operator):
    """Whether the next precision of an operator has a next one too."""
    once = quantizer.wider(operator, quantizer.plan[operator])
    return quantizer.wider(operator, once) != once


def make_report(quantizer, errors, plan, reference_ap, ap_drop, max_ap_drop):
    """Gather what was measured and chosen.

    Returns:
        dict of `model`, `runtime`, `precision`, `reference_ap` (0 to 1), `ap_drop` and
        `max_ap_drop` (AP points) and `layers`: for each quantized operator in order of
        computation its `layer`, `operator`, `error_px` and `precision`.
    """
    return {
        "model": quantizer.model.pose_config.name,
        "runtime": quantizer.runtime,
        "precision": quantizer.precision,
        "reference_ap": reference_ap,
        "ap_drop": ap_drop,
        "max_ap_drop": max_ap_drop,
        "layers": [
            {
                "layer": operator.label,
                "operator": operator.kind,
                "error_px": error,
                "precision": plan[operator],
            }
            for operator, error in errors.items()
        ],
    }


def draw_report(report, path):
    """Draw a report's layers as bars, coloured by precision, into a picture."""
    from matplotlib.figure import Figure

    layers = report["layers"]
    figure = Figure(figsize=(12, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="operator, in order of computation",
        ylabel="keypoints moved by (pixels)",
        yscale="log",
        title=f"{report['model']}, {report['runtime']} {report['precision']}: "
        f"loses {report['ap_drop']:.2f} AP points",
    )
    errors = np.array([layer["error_px"] for layer in layers])
    precisions = np.array([layer["precision"] for layer in layers])
    for precision in dict.fromkeys(precisions):
        (where,) = np.nonzero(precisions == precision)
        axes.bar(where, np.maximum(errors[where], 1e-4), label=precision)
    axes.legend(title="computed in")
    figure.savefig(path)
