"""Convert a trained model to a TFLite file that LiteRT has run and checked."""

from distilpose_keras.commands.main import script

EXAMPLES = """examples:
  %(prog)s student.keras --out student.tflite
  %(prog)s student.keras --precision int8 --calibration coco \\
      --out student_int8.tflite
  %(prog)s student.keras --precision int8-full --calibration coco \\
      --max-ap-drop 1.5 --report layers.json --out student_int8_full.tflite

int8 computes convolutions and linear maps in int8, the rest in float32; in int8-full
every operator, the input and the outputs are integer. --calibration is a data set in
COCO's layout: ranges come from people of its training split. With --max-ap-drop the
layers that quantization hurts most stay in higher precision until the AP on the
validation split is within the limit; --report says which.
"""

if __name__ == "__main__":
    given = ("--format", "tflite")
    script("export", *given, description=__doc__, examples=EXAMPLES)
