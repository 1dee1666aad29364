"""DistilPose-L under its TokenPose teacher (Ye et al., CVPR 2023).

The backbone is HRNet-W48 up to stage 3. As published, it starts from the teacher's own
backbone: give --init-backbone-from the teacher's file. The paper reports 21.27 M
parameters and 74.4 AP on COCO val; full-size training with this script is not yet run.
Without --data it runs the same small demonstration as train_distilpose_s.py.
"""

from distilpose_keras.commands.main import script

EXAMPLES = """examples:
  %(prog)s --data coco --teacher teacher.keras \\
      --init-backbone-from teacher.keras --out runs/coco_l
"""

if __name__ == "__main__":
    given = ("--model", "distilpose_l")
    script("train", *given, description=__doc__, examples=EXAMPLES)
