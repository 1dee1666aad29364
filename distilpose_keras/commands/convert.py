"""Convert a published PyTorch checkpoint to a .keras file.

Every key of the checkpoint is read and every weight of the model is filled, or the
command stops with a list of what is missing, unread or of the wrong shape. Files that
would run code when they are opened are refused.
"""

from distilpose_keras.commands import cli

SUMMARY = "published PyTorch weights to a .keras file"
EXAMPLES = """examples:
  %(prog)s distilpose_s.pth --model distilpose_s \\
      --out distilpose_s.keras
  %(prog)s hrnet_w48_imagenet.pth --model distilpose_l \\
      --backbone-only --out distilpose_l_init.keras
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "checkpoint",
        type=cli.input_file,
        metavar="CHECKPOINT",
        help="a .pth, .npz or .safetensors file",
    )
    add("--model", required=True, metavar="NAME", help="see `distilpose models`")
    add(
        "--out",
        required=True,
        type=cli.output_file,
        metavar="FILE",
        help="the .keras file to write",
    )
    add(
        "--backbone-only",
        action="store_true",
        help="fill the backbone alone; the head keeps its fresh weights",
    )


def run(arguments):
    """Convert, and say what was filled."""
    out = arguments.out
    if out.suffix != ".keras":
        raise ValueError(f"--out must end in .keras. Received: {out}")

    from distilpose_keras.files import atomic_path
    from distilpose_keras.models.checkpoints import load_checkpoint
    from distilpose_keras.models.model import build_model

    model = build_model(arguments.model)
    report = load_checkpoint(
        model, arguments.checkpoint, backbone_only=arguments.backbone_only
    )
    model.metadata["checkpoint"] = arguments.checkpoint.name
    with atomic_path(out) as temporary:
        model.save(temporary)
    print(f"{arguments.model}: {report}")
    for key in report.unused:
        print(f"  unused: {key}")
    print(f"wrote {out}")
