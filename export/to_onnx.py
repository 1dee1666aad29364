"""Convert a trained model to an ONNX file that ONNX Runtime has run and checked."""

from distilpose_keras.commands.main import script

EXAMPLES = """examples:
  %(prog)s student.keras --out student.onnx
  %(prog)s student.keras --precision int8 --calibration coco \\
      --out student_int8.onnx
  %(prog)s student.keras --precision int8 --calibration coco \\
      --max-ap-drop 0.5 --report layers.json --out student_int8.onnx

int8 computes convolutions and linear maps in int8, the rest in float32. --calibration
is a data set in COCO's layout: ranges come from people of its training split. With
--max-ap-drop the layers that quantization hurts most stay in float32 until the AP on
the validation split is within the limit; --report says which.
"""

if __name__ == "__main__":
    given = ("--format", "onnx")
    script("export", *given, description=__doc__, examples=EXAMPLES)
