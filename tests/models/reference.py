"""The published models' parameters, as `recipe` regenerates them."""

import json
from pathlib import Path

import numpy as np
import pytest
import recipe

MODELS = Path(__file__).resolve().parents[1] / "data" / "parity" / "models"
# Of all models: too large for the checkout.
SHARED = Path(__file__).resolve().parents[3] / "shared" / "parity" / "models"
# Multiply-accumulates, in 1e9, of what a published network computes and ours does not.
# Lite-HRNet: each downward fusion of the finest branch, a second time.
LEFT_OUT = {"litehrnet_18": 0.0437184, "litehrnet_30": 0.0766522}
# Poseur: the coarse sigmas, two maps of 17 tokens to 2 values after each decoder layer
# but the last, which the loss needs, and a third one a second time after all six.
LEFT_OUT |= {
    f"poseur_{backbone}": (34 * 256 + 16 * 17 * (2 * 256**2 + 2 * 256)) / 1e9
    for backbone in ("mobilenetv2", "resnet50", "hrnet_w32", "hrnet_w48")
}
# PRTR: the heads of 100 queries after each decoder layer but the last.
LEFT_OUT |= {
    f"prtr_{backbone}_{size}": 5 * 100 * (256 * 18 + 2 * 256**2 + 2 * 256) / 1e9
    for backbone in ("resnet50", "resnet101", "hrnet_w32")
    for size in ("256x192", "384x288", "512x384")
}
OUTPUT_NAMES = {
    "score": "scores",
    "sigma": "sigmas",
    "kpt_token": "keypoint_tokens",
    "vis_token": "visual_tokens",
}


def published(name):
    """A model's description and reference arrays; a skip where they are absent."""
    for folder in (MODELS, SHARED):
        if (folder / f"{name}.npz").is_file():
            with np.load(folder / f"{name}.npz") as arrays:
                document = json.loads((folder / f"{name}.json").read_text())
                return document, dict(arrays)
    pytest.skip(f"the references of {name} are not at {SHARED}")


def path_of(file_name):
    """A file of the references, or a skip where it is absent."""
    for folder in (MODELS, SHARED):
        if (folder / file_name).exists():
            return folder / file_name
    return pytest.skip(f"{file_name} is not in {SHARED}")


def description(name):
    """Counts and state_dict keys of a published model."""
    return json.loads(path_of(f"{name}.json").read_text())


def trainable_params(name):
    """Of the model, without what only its loss needs."""
    known = description(name)
    return known.get("inference_params", known["trainable_params"])


def loss_params(name):
    """Trainable parameters of what only the loss needs."""
    return description(name)["trainable_params"] - trainable_params(name)


def gmacs(name):
    """Multiply-accumulates of the model, in 1e9."""
    return description(name)["gmacs"] - LEFT_OUT.get(name, 0.0)


def arrays(name):
    """The published model's outputs as its reference names them."""
    with np.load(path_of(f"{name}.npz")) as found:
        return dict(found)


def state_dict(name):
    """The published model's parameters that are not computed."""
    return {
        key: recipe.fill(key, shape)
        for key, shape, kind in description(name)["state_dict"]
        if kind == "filled"
    }


def outputs(name):
    """The published model's outputs under our names."""
    found = arrays(name)
    prediction = found.pop("pred")
    kind = "heatmaps" if prediction.ndim == 4 else "keypoints"
    return {kind: prediction, **{OUTPUT_NAMES[k]: v for k, v in found.items()}}
