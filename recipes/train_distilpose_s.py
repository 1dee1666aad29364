"""DistilPose-S under its TokenPose teacher (Ye et al., CVPR 2023).

Without arguments: renders a synthetic data set, trains a small teacher and a small
student, without and with the teacher, exports the student, scores every file and writes
a report. With --data: the paper's recipe, DistilPose-S (5.36 M parameters) under
TokenPose-HRNet-W48 (69.41 M) on COCO. The paper reports 71.6 AP on COCO val; full-size
training on COCO with this script is not yet run.
"""

from options import run_from, standard_parser

from distilpose_keras import cli

EXAMPLES = (
    "python recipes/train_distilpose_s.py",
    "python recipes/train_distilpose_s.py --data coco --out runs/coco_s",
    "python recipes/train_distilpose_s.py --data coco --teacher teacher.keras --resume",
)


def main(argv):
    """Run the command."""
    parser = standard_parser(__doc__, EXAMPLES, default_out="runs/distilpose_s")
    run_from(parser.parse_args(argv), student="distilpose_s")


if __name__ == "__main__":
    cli.run(main)
