"""TokenPose on HRNet-W48, the heatmap teacher of DistilPose (Ye et al., CVPR 2023).

Trains the teacher alone, for several students: give its ``teacher.keras`` to their
recipes as --teacher. The paper reports 69.41 M parameters and 72.5 AP on COCO val, 75.2
with DARK, which this project decodes with; full-size training with this script is not
yet run. Without --data it trains the small teacher of the demonstration.
"""

from distilpose_keras.commands.main import script

EXAMPLES = """examples:
  %(prog)s --data coco --out runs/teacher
  python recipes/train_distilpose_s.py --data coco \\
      --teacher runs/teacher/teacher.keras
"""

if __name__ == "__main__":
    given = ("--model", "tokenpose_hrnet_w48")
    script("train", *given, description=__doc__, examples=EXAMPLES)
