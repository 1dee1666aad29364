"""TokenPose on a small stem, a light heatmap model (6.62 M parameters).

It has the backbone of DistilPose-S and can teach it where TokenPose-HRNet-W48 is too
large; full-size training with this script is not yet run. Without --data it trains the
small teacher of the demonstration.
"""

from options import run_from, standard_parser

from distilpose_keras import cli

EXAMPLES = (
    "python recipes/train_tokenpose_stemnet.py --data coco --out runs/stemnet",
    "python recipes/train_distilpose_s.py --data coco \\",
    "    --teacher runs/stemnet/teacher.keras",
)


def main(argv):
    """Run the command."""
    out = "runs/tokenpose_stemnet"
    parser = standard_parser(__doc__, EXAMPLES, default_out=out, trained="teacher")
    run_from(parser.parse_args(argv), teacher="tokenpose_stemnet")


if __name__ == "__main__":
    cli.run(main)
