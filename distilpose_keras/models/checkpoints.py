"""Published PyTorch parameters to Keras weights and back, by name and without rest.

A layer is named after the published module, with ``-`` for ``.``, so that every Keras
variable has exactly one PyTorch key: ``backbone-layer1-0-conv1/kernel`` is
``backbone.layer1.0.conv1.weight``. Only layouts differ; `_to_torch` has them all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distilpose_keras.models.checkpoint_files import (
    few,
    read_checkpoint,
    without_prefixes,
)
from distilpose_keras.models.model import PoseModel, load_model
from distilpose_keras.types import FilePath

PARAMETER_NAMES = {  # Keras variable: PyTorch parameter, where the names differ
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
IGNORED_SUFFIX = "num_batches_tracked"
BACKBONE = "backbone."


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion took.

    Attributes:
        filled: PyTorch keys that filled a weight.
        kept: keys of the model's weights that were left as they were.
        unused: keys of the source that were not used.
        source: which of the source's sets of parameters was read, if it has several.
    """

    filled: tuple[str, ...]
    kept: tuple[str, ...]
    unused: tuple[str, ...]
    source: str = ""

    def __str__(self):
        """Return one line of counts."""
        return (
            f"filled {len(self.filled)} weights, kept {len(self.kept)}, "
            f"left {len(self.unused)} of the source unused"
            + (f"; {self.source}" if self.source else "")
        )


def torch_keys(model: PoseModel) -> dict[str, tuple[Any, Any]]:
    """Return a dict from PyTorch key to (layer, variable), for every weight."""
    keys = {}
    for layer in model.layers:
        for variable in layer.weights:  # not the states of random generators
            module = layer.name.replace("-", ".")
            name = PARAMETER_NAMES.get(variable.name, variable.name)
            keys[f"{module}.{name}"] = (layer, variable)
    return keys


def state_dict(model: PoseModel) -> dict[str, np.ndarray]:
    """Return the weights of a `PoseModel` as the published implementation names them.

    Returns:
        dict from PyTorch key to an array in PyTorch's layout.
    """
    return {
        key: _to_torch(layer, variable.name, keras.ops.convert_to_numpy(variable))
        for key, (layer, variable) in torch_keys(model).items()
    }


def load_checkpoint(
    model: PoseModel,
    path_or_state_dict: FilePath | dict[str, Any],
    *,
    backbone_only: bool = False,
) -> ConversionReport:
    """Fill a model from a published checkpoint, completely or not at all.

    Args:
        model: `PoseModel` whose weights are replaced.
        path_or_state_dict: a checkpoint file (see `read_checkpoint`), or a dict from
            PyTorch key to array.
        backbone_only: fill the backbone and ignore the keys of any head. Keys may
            lack the ``backbone.`` prefix, as in ImageNet checkpoints; keys of stages
            that the model has not are reported as unused.

    Returns:
        A `ConversionReport`.

    Raises:
        ValueError: one line that counts the missing, unread and misshapen keys and
            names the first of each. The model is unchanged.
    """
    if isinstance(path_or_state_dict, dict):
        origin = "state dict"
        source = without_prefixes(path_or_state_dict, origin)
    else:
        origin = path_or_state_dict
        source = read_checkpoint(origin)
    state = {k: v for k, v in source.state.items() if not k.endswith(IGNORED_SUFFIX)}
    wanted = torch_keys(model)
    kept = []
    if backbone_only:
        state = _with_backbone_prefix(state)
        kept = [key for key in wanted if not key.startswith(BACKBONE)]
        wanted = {k: v for k, v in wanted.items() if k.startswith(BACKBONE)}
        if not wanted:
            raise ValueError(
                f"{model.name} has no backbone beside its head: fill all of it"
            )
        unread = []
    else:
        try:
            state = model.pose_config.read_checkpoint(state)
        except ValueError as error:
            raise ValueError(f"{origin}: {error}") from error
        unread = [key for key in state if key not in wanted]
    _check(wanted, state, unread, origin, model.name)
    for key, (layer, variable) in wanted.items():
        variable.assign(_from_torch(layer, variable, state[key]))
    if not backbone_only:
        model.metadata["confidence"] = True  # published scores were taught
    return ConversionReport(
        filled=tuple(wanted),
        kept=tuple(kept),
        unused=tuple(key for key in state if key not in wanted),
        source=str(source),
    )


def init_backbone_from(
    model: PoseModel, source: PoseModel | FilePath
) -> ConversionReport:
    """Start a model's backbone from another model's, such as its teacher's.

    The published DistilPose-L starts from the first three stages of its teacher's
    HRNet; an ImageNet checkpoint does as well.

    Args:
        model: `PoseModel` whose backbone is filled; its head stays as it is.
        source: a `PoseModel`, a ``.keras`` file or a checkpoint file.

    Returns:
        A `ConversionReport`.

    Raises:
        ValueError: if the source lacks a weight of the backbone, or has it in another
            shape.
    """
    if not isinstance(source, PoseModel):
        if Path(source).suffix != ".keras":
            return load_checkpoint(model, source, backbone_only=True)
        source = load_model(source)
    return load_checkpoint(model, state_dict(source), backbone_only=True)


def _with_backbone_prefix(state):
    """Name the keys of a bare backbone as those of a pose model are."""
    if any(key.startswith(BACKBONE) for key in state):
        return state
    return {BACKBONE + key: value for key, value in state.items()}


def _check(wanted, state, unread, origin, name):
    """Raise one error that counts what does not fit and names the first of each."""
    problems = []
    missing = [key for key in wanted if key not in state]
    if missing:
        problems.append(f"{len(missing)} missing: {few(missing)}")
    if unread:
        problems.append(f"{len(unread)} unread: {few(unread)}")
    misshapen = []
    for key, (layer, variable) in wanted.items():
        if key in state:
            expected = _torch_shape(layer, variable)
            if tuple(state[key].shape) != expected:
                misshapen.append(f"{key} {tuple(state[key].shape)} for {expected}")
    if misshapen:
        problems.append(f"{len(misshapen)} of the wrong shape: {few(misshapen)}")
    if problems:
        raise ValueError(
            f"{origin} does not fit {name} ({len(wanted)} weights): "
            f"{'; '.join(problems)}"
        )


def _is_patch_embedding(layer):
    """Whether a convolution stands for PyTorch's linear map of flattened patches."""
    return layer.name.endswith("patch_to_embedding")


def _to_torch(layer, name, value):
    """Bring a Keras weight into PyTorch's layout."""
    if name != "kernel":
        return value
    if _is_patch_embedding(layer):  # (row, column, channel, out) -> (out, patch)
        return value.reshape(-1, value.shape[-1]).T
    if isinstance(layer, keras.layers.DepthwiseConv2D):  # HWI1 -> I1HW
        return value.transpose(2, 3, 0, 1)
    if value.ndim == 4:  # HWIO -> OIHW; transposed convolutions HWOI -> IOHW
        return value.transpose(3, 2, 0, 1)
    return value.T


def _torch_shape(layer, variable):
    """The shape that a weight has in PyTorch."""
    return _to_torch(layer, variable.name, np.empty(tuple(variable.shape), "i1")).shape


def _from_torch(layer, variable, value):
    """Bring a PyTorch parameter of the right shape into Keras' layout."""
    value = np.asarray(value, "float32")
    if variable.name != "kernel":
        return value
    if _is_patch_embedding(layer):
        return value.T.reshape(tuple(variable.shape))
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return value.transpose(2, 3, 0, 1)
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
