"""Configurations of files written before each family had its own.

All settings of all families stood side by side, with a backbone's and a head's name.
"""

DEFAULTS = {
    "backbone": "stemnet",
    "head": "token_regression",
    "stem_width": 64,
    "stem_blocks": 4,
    "stem_block_width": 64,
    "hrnet_width": 48,
    "hrnet_stages": 3,
    "resnet_depth": 50,
    "patch_size": [4, 3],
    "token_dim": 192,
    "token_layers": 12,
    "token_heads": 8,
    "token_mlp_ratio": 3,
    "heatmap_hidden": 384,
    "deconv_layers": 0,
    "confidence": True,
    "num_sigmas": 2,
}


def modern_config(data: dict) -> dict:
    """Return the settings of an older file as they are written now."""
    old = DEFAULTS | data
    new = {name: old[name] for name in ("name", "input_size", "schema") if name in old}
    new["backbone"] = _backbone(old)
    if old["head"] in ("token_regression", "token_heatmap"):
        new["transformer"] = {
            "patch_size": old["patch_size"],
            "dim": old["token_dim"],
            "layers": old["token_layers"],
            "heads": old["token_heads"],
            "mlp_ratio": old["token_mlp_ratio"],
        }
    if old["head"] == "token_regression":
        return {"family": "distilpose", "num_sigmas": old["num_sigmas"], **new}
    if old["head"] == "token_heatmap":
        return {"family": "tokenpose", "hidden": old["heatmap_hidden"], **new}
    if old["head"] == "integral":
        return {"family": "integral", **new}
    if old["head"] == "regression":
        settings = {name: old[name] for name in ("confidence", "num_sigmas")}
        return {"family": "deeppose", **settings, **new}
    if old["deconv_layers"]:
        deconvolutions = {"deconvolutions": old["deconv_layers"]}
        return {"family": "simple_baseline", **deconvolutions, **new}
    return {"family": "hrnet", **new}


def _backbone(old):
    if old["backbone"] == "lite":
        return {"kind": "lite", "widths": old["lite_widths"]}
    if old["backbone"] == "resnet":
        return {"kind": "resnet", "depth": old["resnet_depth"]}
    stem = {
        "width": old["stem_width"],
        "blocks": old["stem_blocks"],
        "block_width": old["stem_block_width"],
    }
    if old["backbone"] == "stemnet":
        return {"kind": "stemnet", **stem}
    return {
        "kind": "hrnet",
        "width": old["hrnet_width"],
        "stages": old["hrnet_stages"],
        "stem": stem,
    }
