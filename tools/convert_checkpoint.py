"""Convert a published PyTorch checkpoint to a .keras file.

Every key of the checkpoint is read and every weight of the model is filled, or the
command stops with a list of what is missing, unread or of the wrong shape. Files that
would run code when they are opened are refused.
"""

from pathlib import Path

from distilpose_keras.cli import ArgumentParser, run

EXAMPLES = """examples:
  python tools/convert_checkpoint.py distilpose_s.pth --model distilpose_s \\
      --out distilpose_s.keras
  python tools/convert_checkpoint.py hrnet_w48_imagenet.pth --model distilpose_l \\
      --backbone-only --out distilpose_l_init.keras
"""


def parse_args(argv):
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
    )
    parser.add_argument("checkpoint", help="a .pth, .npz or .safetensors file")
    parser.add_argument("--model", required=True, help="the model's name")
    parser.add_argument("--out", required=True, help="the .keras file to write")
    parser.add_argument(
        "--backbone-only",
        action="store_true",
        help="fill the backbone alone; the head keeps its fresh weights",
    )
    return parser.parse_args(argv)


def main(argv):
    """Run the command."""
    args = parse_args(argv)
    out = Path(args.out)
    if out.suffix != ".keras":
        raise ValueError(f"--out must end in .keras. Received: {out}")

    from distilpose_keras.files import atomic_path
    from distilpose_keras.models.checkpoints import load_checkpoint
    from distilpose_keras.models.model import build_model

    model = build_model(args.model)
    report = load_checkpoint(model, args.checkpoint, backbone_only=args.backbone_only)
    model.metadata["checkpoint"] = Path(args.checkpoint).name
    with atomic_path(out) as temporary:
        model.save(temporary)
    print(f"{args.model}: {report}")
    for key in report.unused:
        print(f"  unused: {key}")
    print(f"wrote {out}")


if __name__ == "__main__":
    run(main)
