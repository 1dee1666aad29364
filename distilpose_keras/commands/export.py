"""Write a trained model as a TFLite or ONNX file that its runtime has run and checked.

The suffix of --out says which: .tflite for LiteRT, .onnx for ONNX Runtime.
"""

from distilpose_keras.commands import cli

SUMMARY = "TFLite and ONNX files, run and checked"
PRECISIONS = {
    ".tflite": ("float32", "float16", "int8", "int8-full"),
    ".onnx": ("float32", "float16", "int8"),
}
FINDER_PRECISIONS = ("float32", "float16")  # of a person finder, in both
EXAMPLES = """examples:
  %(prog)s student.keras --out student.tflite
  %(prog)s student.keras --precision int8 --calibration coco \\
      --out student_int8.onnx
  %(prog)s student.keras --precision int8-full --calibration coco \\
      --max-ap-drop 1.5 --report layers.json --out student_int8_full.tflite

int8 computes convolutions and linear maps in int8, the rest in float32; in int8-full
(.tflite) every operator, the input and the outputs are integer. --calibration is a data
set in COCO's layout: ranges come from people of its training split. With --max-ap-drop
the layers that quantization hurts most stay in higher precision until the AP on the
validation split is within the limit; --report says which. A person finder's .keras file
becomes float32 or float16 files.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("model", metavar="MODEL", type=cli.trained_model, help=cli.KERAS_FILE)
    add(
        "--format",
        choices=[suffix[1:] for suffix in PRECISIONS],
        help="default: by the suffix of --out",
    )
    add(
        "--precision",
        default="float32",
        metavar="|".join(PRECISIONS[".tflite"]),
        help="float32",
    )
    add(
        "--calibration",
        type=cli.input_folder,
        metavar="DIR",
        help="data set in COCO's layout, for int8",
    )
    add(
        "--calibration-size",
        type=cli.positive_int,
        default=256,
        metavar="N",
        help="people drawn",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the drawing")
    add("--dark", **cli.DARK)
    add(
        "--max-ap-drop",
        type=float,
        metavar="X",
        help="AP points (0 to 100) that int8 may lose; the worst layers give way",
    )
    add("--limit", type=cli.positive_int, metavar="N", help="measure AP on N people")
    add(
        "--report",
        type=cli.output_file,
        metavar="FILE",
        help="layers, as .json and .png",
    )
    add(
        "--out",
        required=True,
        type=cli.output_file,
        metavar="FILE",
        help="file to write",
    )


def run(arguments):
    """Convert, and say what came out."""
    from distilpose_keras.safety import holds_class

    if holds_class(arguments.model, "FinderModel"):
        _export_finder(arguments)
    else:
        _export_poses(arguments)
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {arguments.precision}, {size / 1e6:.2f} MB")


def _export_finder(arguments):
    """Convert a person finder."""
    _check(arguments, dict.fromkeys(PRECISIONS, FINDER_PRECISIONS))
    from distilpose_keras.export.finder import export_finder
    from distilpose_keras.models.finder import load_finder

    model = load_finder(arguments.model)
    export_finder(model, arguments.out, precision=arguments.precision)


def _export_poses(arguments):
    """Convert a pose model."""
    _check(arguments, PRECISIONS)
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite
    from distilpose_keras.models.model import load_model

    export = export_onnx if arguments.out.suffix == ".onnx" else export_tflite
    model = load_model(arguments.model)
    if arguments.dark:
        model.pose_config = model.pose_config.with_overrides(dark=True)
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
        _export_within(arguments, model, crops)


def _check(arguments, known):
    suffix = arguments.out.suffix
    expected = [f".{arguments.format}"] if arguments.format else list(known)
    if suffix not in expected:
        raise ValueError(
            f"--out must end in {' or '.join(expected)}. Received: {arguments.out}"
        )
    if arguments.precision not in known[suffix]:
        raise ValueError(
            f"--precision of {suffix} must be one of {', '.join(known[suffix])}. "
            f"Received: {arguments.precision}"
        )
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


def _export_within(arguments, model, crops):
    """Export within a limit of AP, and say what that took."""
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
    _print_worst(report["layers"])
    print(
        f"AP {report['reference_ap']:.4f} in float32; loses {report['ap_drop']:.2f} AP "
        f"points, at most {report['max_ap_drop']} allowed"
    )


def _print_worst(layers):
    from rich.table import Table

    from distilpose_keras.commands.tables import print_table

    table = Table(title="the ten most sensitive operators")
    for heading in ("layer", "operator", "error", "computed in"):
        table.add_column(heading, overflow="fold")
    for layer in sorted(layers, key=lambda layer: -layer["error_px"])[:10]:
        error = f"{layer['error_px']:.3f} px"
        table.add_row(layer["layer"], layer["operator"], error, layer["precision"])
    print_table(table)
