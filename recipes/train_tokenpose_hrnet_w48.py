"""TokenPose on HRNet-W48, the heatmap teacher of DistilPose (Ye et al., CVPR 2023).

Trains the teacher alone, for several students: give its ``teacher.keras`` to their
recipes as --teacher. The paper reports 69.41 M parameters and 72.5 AP on COCO val, 75.2
with DARK, which this project decodes with; full-size training with this script is not
yet run. Without --data it trains the small teacher of the demonstration.
"""

from options import run_from, standard_parser

from distilpose_keras import cli

EXAMPLES = (
    "python recipes/train_tokenpose_hrnet_w48.py --data coco --out runs/teacher",
    "python recipes/train_distilpose_s.py --data coco \\",
    "    --teacher runs/teacher/teacher.keras",
)


def main(argv):
    """Run the command."""
    out = "runs/tokenpose_hrnet_w48"
    parser = standard_parser(__doc__, EXAMPLES, default_out=out, trained="teacher")
    run_from(parser.parse_args(argv), teacher="tokenpose_hrnet_w48")


if __name__ == "__main__":
    cli.run(main)
