"""Every named model with few channels and layers, but all of its parts."""

from dataclasses import fields, is_dataclass, replace

from distilpose_keras.models.backbones import (
    CSPNeXt,
    Hourglass,
    HRNet,
    HRNetC,
    LiteHRNet,
    MobileNetV2,
    MoveNetFPN,
    ResNet,
    StemNet,
    ViT,
)
from distilpose_keras.models.encoder import Encoder
from distilpose_keras.models.presets import MODELS, family_of
from distilpose_keras.models.transformer import TokenTransformer

STEM = StemNet(width=4, blocks=1, block_width=4)
BRANCHES = HRNet(4, 4, STEM, modules=(1, 1, 1), blocks=1)
WHOLE_PATCHES = {(6, 4): (4, 3)}  # of a larger input: they do not divide this one
# By the kind of a part; what is not named here stays as it is.
PARTS = {
    StemNet: lambda part: STEM,
    HRNet: lambda part: HRNet(4, part.stages, STEM, modules=(1, 1, 1), blocks=1),
    ResNet: lambda part: replace(part, depth=50, width=2),
    CSPNeXt: lambda part: CSPNeXt((4, 4, 8), (8, 8, 8, 8), (1, 1, 1, 1)),
    Hourglass: lambda part: Hourglass(8, depth=2),
    ViT: lambda part: replace(part, dim=16, depth=2, heads=2, drop_path=0.1),
    Encoder: lambda part: replace(
        part, dim=16, hidden=8, layers=2, heads=min(2, part.heads)
    ),
    LiteHRNet: lambda part: LiteHRNet(8, 8, modules=(1, 1, 1)),
    MobileNetV2: lambda part: MobileNetV2(4, (4,) * 7, (1, 2, 1, 1, 1, 1, 1), 16),
    MoveNetFPN: lambda part: MoveNetFPN((8, 8, 8), 16),
    HRNetC: lambda part: HRNetC(BRANCHES, widths=(2, 4, 8, 16), channels=16),
    TokenTransformer: lambda part: replace(
        part,
        patch_size=WHOLE_PATCHES.get(part.patch_size, part.patch_size),
        dim=16,
        layers=2 * part.blocks,
        heads=2,
    ),
}
NUMBERS = {"hidden": 8, "filters": 8, "dim": 16, "attention_dim": 8, "stacks": 2}
NUMBERS |= {"decoder_layers": 2}
INPUT_SIZE = (64, 96)  # whole patches and whole maps of all backbones


def shrunken(config):
    """Return a small configuration of the same family and parts."""
    small = {"input_size": INPUT_SIZE}
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value) and type(value) in PARTS:
            small[field.name] = PARTS[type(value)](value)
        elif field.name in NUMBERS:
            small[field.name] = NUMBERS[field.name]
    return config.with_overrides(**small)


def different_models():
    """Names of the models that differ when they are shrunken."""
    seen = {}
    for name, config in MODELS.items():
        seen.setdefault(shrunken(config).with_overrides(name="same"), name)
    return list(seen.values())


def one_of_each_family():
    """The first of the different models of each family."""
    first = {}
    for name in different_models():
        first.setdefault(family_of(MODELS[name]), name)
    return list(first.values())
