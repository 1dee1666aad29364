"""DistilPose-S under its TokenPose teacher (Ye et al., CVPR 2023).

Without arguments: renders a synthetic data set, trains a small teacher and a small
student, without and with the teacher, exports the student, scores every file and writes
a report. With --data: the paper's recipe, DistilPose-S (5.36 M parameters) under
TokenPose-HRNet-W48 (69.41 M) on COCO. The paper reports 71.6 AP on COCO val; full-size
training on COCO with this script is not yet run.
"""

from distilpose_keras.commands.main import script

EXAMPLES = """examples:
  %(prog)s
  %(prog)s --data coco --out runs/coco_s
  %(prog)s --data coco --teacher teacher.keras --resume
"""

if __name__ == "__main__":
    script("train", description=__doc__, examples=EXAMPLES)
