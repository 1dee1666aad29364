"""The named models: one table, joined from those of the families."""

from typing import Any

from distilpose_keras.models.config import PoseConfig
from distilpose_keras.models.families import (
    deeppose,
    distilpose,
    hourglass,
    hrnet,
    integral,
    lite_hrnet,
    okdhp,
    poseur,
    prtr,
    rle,
    rtmpose,
    simcc,
    simple_baseline,
    tokenpose,
    tokenpose_release,
    transpose,
    vitpose,
)
from distilpose_keras.models.figures import Figures
from distilpose_keras.models.legacy import modern_config

# A family's name in files, its configuration and its named models.
FAMILIES = {
    "distilpose": (distilpose.DistilPose, distilpose.MODELS),
    "tokenpose": (tokenpose.TokenPose, tokenpose.MODELS),
    "simple_baseline": (simple_baseline.SimpleBaseline, simple_baseline.MODELS),
    "hrnet": (hrnet.HRNet, hrnet.MODELS),
    "lite_hrnet": (lite_hrnet.LiteHRNet, lite_hrnet.MODELS),
    "tokenpose_release": (
        tokenpose_release.TokenPoseRelease,
        tokenpose_release.MODELS,
    ),
    "transpose": (transpose.TransPose, transpose.MODELS),
    "deeppose": (deeppose.DeepPose, deeppose.MODELS),
    "rtmpose": (rtmpose.RTMPose, rtmpose.MODELS),
    "simcc": (simcc.SimCC, simcc.MODELS),
    "vitpose": (vitpose.ViTPose, vitpose.MODELS),
    "hourglass": (hourglass.StackedHourglass, hourglass.MODELS),
    "okdhp": (okdhp.OKDHP, okdhp.MODELS),
    "rle": (rle.RLE, rle.MODELS),
    "rle_mmpose": (rle.MMPoseRLE, rle.MMPOSE_MODELS),
    "poseur": (poseur.Poseur, poseur.MODELS),
    "prtr": (prtr.PRTR, prtr.MODELS),
    "integral": (integral.IntegralPose, integral.MODELS),
}
MODELS: dict[str, PoseConfig] = {
    config.name: config for _, models in FAMILIES.values() for config in models
}
FIGURES: dict[str, Figures] = {
    config.name: figures
    for _, models in FAMILIES.values()
    for config, figures in models.items()
}


def family_of(config: PoseConfig) -> str:
    """Return the name of a configuration's family."""
    for name, (kind, _) in FAMILIES.items():
        if type(config) is kind:
            return name
    raise ValueError(f"no family of models has a {type(config).__name__}")


def config_to_dict(config: PoseConfig) -> dict[str, Any]:
    """Return a configuration as JSON values that `config_from_dict` reads back."""
    return {"family": family_of(config), **config.to_dict()}


def config_from_dict(data: dict[str, Any]) -> PoseConfig:
    """Read a configuration; those of files from before there were families, too."""
    data = dict(data) if "family" in data else modern_config(data)
    name = data.pop("family")
    if name not in FAMILIES:
        raise ValueError(
            f"unknown family of models {name!r}; known: {', '.join(FAMILIES)}"
        )
    return FAMILIES[name][0].from_dict(data)
