"""What to_tflite.py and to_onnx.py share: options, calibration, what is printed."""

from pathlib import Path

from distilpose_keras import cli


def parse_arguments(argv, *, description, examples, precisions):
    """Read the command line of a conversion."""
    parser = cli.ArgumentParser(
        description=description,
        epilog=examples,
    )
    parser.add_argument("model", metavar="MODEL", help="trained student, a .keras file")
    parser.add_argument(
        "--precision", default="float32", metavar="|".join(precisions), help="float32"
    )
    parser.add_argument(
        "--calibration", metavar="DIR", help="data set in COCO's layout, for int8"
    )
    parser.add_argument(
        "--calibration-size", type=int, default=256, metavar="N", help="people drawn"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the drawing")
    parser.add_argument(
        "--max-ap-drop",
        type=float,
        metavar="X",
        help="AP points (0 to 100) that int8 may lose; the worst layers give way",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="measure AP on N people")
    parser.add_argument("--report", metavar="FILE", help="layers, as .json and .png")
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write")
    arguments = parser.parse_args(argv)
    if arguments.precision not in precisions:
        raise ValueError(
            f"--precision must be one of {', '.join(precisions)}. "
            f"Received: {arguments.precision}"
        )
    return arguments


def convert(arguments, suffix):
    """Run a conversion.

    Args:
        arguments: of `parse_arguments`.
        suffix: that the file to write must have, ``.tflite`` or ``.onnx``.
    """
    _check(arguments, suffix)
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite
    from distilpose_keras.models.model import load_model

    export = export_onnx if suffix == ".onnx" else export_tflite
    model = load_model(arguments.model)
    crops = None
    if arguments.calibration:
        crops = _draw_crops(arguments, model)
    if arguments.max_ap_drop is None:
        export(
            model,
            arguments.out,
            precision=arguments.precision,
            calibration=crops,
            progress=True,
        )
    else:
        _convert_within(arguments, model, crops)
    size = Path(arguments.out).stat().st_size
    print(f"{arguments.out}: {arguments.precision}, {size / 1e6:.2f} MB")


def _check(arguments, suffix):
    if Path(arguments.out).suffix != suffix:
        raise ValueError(f"--out must end in {suffix}. Received: {arguments.out}")
    int8 = arguments.precision.startswith("int8")
    if int8 and not arguments.calibration:
        raise ValueError(f"--precision {arguments.precision} needs --calibration DIR")
    if arguments.report and arguments.max_ap_drop is None:
        raise ValueError("--report needs --max-ap-drop")
    if arguments.max_ap_drop is not None and not int8:
        raise ValueError("--max-ap-drop needs --precision int8 or int8-full")


def _draw_crops(arguments, model):
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.export.calibration import calibration_crops

    people = load_people(*coco_paths(arguments.calibration, "train"))
    return calibration_crops(
        people, model, count=arguments.calibration_size, seed=arguments.seed
    )


def _convert_within(arguments, model, crops):
    from rich.console import Console
    from rich.table import Table

    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.export.sensitivity import export_within

    report = export_within(
        model,
        arguments.out,
        precision=arguments.precision,
        calibration=crops,
        people=load_people(*coco_paths(arguments.calibration, "val")),
        max_ap_drop=arguments.max_ap_drop,
        report=arguments.report,
        limit=arguments.limit,
        progress=True,
    )
    worst = sorted(report["layers"], key=lambda layer: -layer["error_px"])[:10]
    table = Table(title="the ten most sensitive operators")
    for heading in ("layer", "operator", "error", "computed in"):
        table.add_column(heading, overflow="fold")
    for layer in worst:
        error = f"{layer['error_px']:.3f} px"
        table.add_row(layer["layer"], layer["operator"], error, layer["precision"])
    Console().print(table)
    print(
        f"AP {report['reference_ap']:.4f} in float32; loses {report['ap_drop']:.2f} AP "
        f"points, at most {report['max_ap_drop']} allowed"
    )
