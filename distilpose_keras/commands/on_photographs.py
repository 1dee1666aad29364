"""What the commands have in common that train the shipped weights."""

import importlib.util
import os

from distilpose_keras.commands.cli import input_file, input_folder, output_folder


def add_arguments(parser, out):
    """Add what the trainings that start from MoveNet's weights have in common.

    Args:
        parser: of the command.
        out: folder of the run by default.
    """
    add = parser.add_argument
    add("--data", required=True, type=input_folder, metavar="DIR")
    add(
        "--movenet",
        required=True,
        type=input_file,
        metavar="FILE",
        help="weights to start from",
    )
    add("--out", type=output_folder, metavar="DIR", default=out, help=out)
    add("--seed", type=int, default=0)
    add("--resume", action="store_true", help="continue the run in --out")
    add("--overwrite", action="store_true", help="replace the run in --out")


def prefer_torch():
    """Let Keras run on PyTorch, if it is there and nothing else was asked for.

    It trains depthwise convolutions faster than TensorFlow on a CPU.
    """
    if importlib.util.find_spec("torch"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
