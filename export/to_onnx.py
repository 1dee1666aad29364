"""Convert a trained student to an ONNX file that ONNX Runtime has run and checked."""

from conversion import convert, parse_arguments

from distilpose_keras import cli

PRECISIONS = ("float32", "int8")
EXAMPLES = """examples:
  python export/to_onnx.py student.keras --out student.onnx
  python export/to_onnx.py student.keras --precision int8 --calibration coco \\
      --out student_int8.onnx
  python export/to_onnx.py student.keras --precision int8 --calibration coco \\
      --max-ap-drop 0.5 --report layers.json --out student_int8.onnx

int8 computes convolutions and linear maps in int8, the rest in float32. --calibration
is a data set in COCO's layout: ranges come from people of its training split. With
--max-ap-drop the layers that quantization hurts most stay in float32 until the AP on
the validation split is within the limit; --report says which.
"""


def main(argv):
    """Run the command."""
    arguments = parse_arguments(
        argv, description=__doc__, examples=EXAMPLES, precisions=PRECISIONS
    )
    convert(arguments, ".onnx")


if __name__ == "__main__":
    cli.run(main)
