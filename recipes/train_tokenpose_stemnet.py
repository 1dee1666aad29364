"""TokenPose on a small stem, a light heatmap model (6.62 M parameters).

It has the backbone of DistilPose-S and can teach it where TokenPose-HRNet-W48 is too
large; full-size training with this script is not yet run. Without --data it trains the
small teacher of the demonstration.
"""

from distilpose_keras.commands.main import script

EXAMPLES = """examples:
  %(prog)s --data coco --out runs/stemnet
  python recipes/train_distilpose_s.py --data coco \\
      --teacher runs/stemnet/teacher.keras
"""

if __name__ == "__main__":
    given = ("--model", "tokenpose_stemnet")
    script("train", *given, description=__doc__, examples=EXAMPLES)
