"""Convert a trained student to a TFLite file that LiteRT has run and checked."""

from conversion import convert, parse_arguments

from distilpose_keras import cli

PRECISIONS = ("float32", "float16", "int8", "int8-full")
EXAMPLES = """examples:
  python export/to_tflite.py student.keras --out student.tflite
  python export/to_tflite.py student.keras --precision int8 --calibration coco \\
      --out student_int8.tflite
  python export/to_tflite.py student.keras --precision int8-full --calibration coco \\
      --max-ap-drop 1.5 --report layers.json --out student_int8_full.tflite

int8 computes convolutions and linear maps in int8, the rest in float32; in int8-full
every operator, the input and the outputs are integer. --calibration is a data set in
COCO's layout: ranges come from people of its training split. With --max-ap-drop the
layers that quantization hurts most stay in higher precision until the AP on the
validation split is within the limit; --report says which.
"""


def main(argv):
    """Run the command."""
    arguments = parse_arguments(
        argv, description=__doc__, examples=EXAMPLES, precisions=PRECISIONS
    )
    convert(arguments, ".tflite")


if __name__ == "__main__":
    cli.run(main)
