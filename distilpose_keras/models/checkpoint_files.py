"""Reads published checkpoints into plain arrays; runs no code that they contain.

A training's checkpoint holds more than one model: averages, a teacher, an optimizer,
and objects of its framework. One set of parameters is taken, and which one is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distilpose_keras.models.inert_pickle import Inert, InertArray
from distilpose_keras.models.torch_files import Tensor, TorchFile
from distilpose_keras.safety import check_zip
from distilpose_keras.types import FilePath

ARRAY_SUFFIXES = {".npz", ".safetensors"}
# Entries and prefixes that hold the weights of a model; earlier ones are preferred.
WRAPPERS = (
    "state_dict",
    "best_state_dict",
    "model_state_dict",
    "model",
    "student",
    "net",
    "network",
)
TRANSPARENT = ("module", "_orig_mod")  # of data-parallel and compiled models
# Other sets than the weights as trained.
AVERAGES = (
    "ema",
    "model_ema",
    "ema_model",
    "state_dict_ema",
    "ema_state_dict",
    "ema_model_state_dict",
    "averaged_model",
    "swa",
)
OTHERS = (*AVERAGES, "teacher")
COUNTS = ("n_averaged",)  # what an average knows about itself
MMCV_AVERAGE = "ema_"  # before the key, whose dots are underscores
SHOWN = 3  # keys in a message
DEEPEST = 8  # a set of parameters is not wrapped more often


@dataclass(frozen=True)
class Checkpoint:
    """The parameters that were taken from a checkpoint.

    Attributes:
        state: dict from parameter name, without prefixes, to array.
        taken: what the set is called in the file, or "" for the file itself.
        left: names of the other sets of parameters in the file.
    """

    state: dict
    taken: str = ""
    left: tuple[str, ...] = ()

    def __str__(self):
        """Return which set was read, or "" if there is only one without a name."""
        if not self.taken and not self.left:
            return ""
        beside = f", not {', '.join(map(repr, self.left))}" if self.left else ""
        return f"read {self.taken or 'the weights'!r}{beside}"


def read_state_dict(path: FilePath) -> dict[str, Any]:
    """Read the parameters of a checkpoint; see `read_checkpoint`.

    Returns:
        dict from parameter name to array.
    """
    return read_checkpoint(path).state


def read_checkpoint(path: FilePath) -> Checkpoint:
    """Read the parameters of a checkpoint, and say which they are.

    A PyTorch file (any suffix but these two), ``.npz`` or ``.safetensors``. The
    parameters may be wrapped in entries such as ``state_dict``, and their names in
    prefixes such as ``module.``, ``_orig_mod.``, ``model.`` and ``student.``, in any
    order. The weights are preferred to their averages. Objects beside the
    parameters are not made, and no code is run.

    Args:
        path: the file.

    Returns:
        A `Checkpoint`.

    Raises:
        ValueError: one line, if the file is missing or damaged, or holds no
            parameters.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such checkpoint: {path}")
    if path.suffix == ".npz":
        return without_prefixes(_read_npz(path), path)
    if path.suffix == ".safetensors":
        return without_prefixes(_read_safetensors(path), path)
    return _read_torch(path)


def _read_npz(path):
    check_zip(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    # Whatever a damaged archive or header makes NumPy raise.
    except Exception as error:
        raise ValueError(f"not a readable .npz file: {path} ({_line(error)})") from None


def _read_safetensors(path):
    import safetensors
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"not a readable checkpoint: {path} ({_line(error)})"
        ) from None


def _read_torch(path):
    try:
        file = TorchFile(path)
    except Exception as error:  # whatever a damaged pickle makes Python raise
        raise ValueError(
            f"expected a PyTorch checkpoint: {path}. Damaged: {_line(error)}"
        ) from None
    with file:
        sets = {}
        _find_sets(file.root, (), sets, set())
        if not sets:
            raise ValueError(_nothing(file.root, path))
        taken = min(sets, key=_preference)
        try:
            state = {key: file.array(value) for key, value in sets[taken].items()}
        except Exception as error:
            raise ValueError(f"damaged checkpoint: {path} ({_line(error)})") from None
    found = without_prefixes(state, path)
    names = [".".join(name) for name in (taken, *sets)]
    left = (*found.left, *sorted({*names[1:]} - {names[0]}))
    inside = f"{names[0]}.{found.taken}".strip(".")
    return Checkpoint(found.state, inside, left)


def _find_sets(value, name, sets, seen):
    """Collect the dicts of tensors in a checkpoint, by the entries that lead there.

    Only entries of known names are opened: what optimizers remember of each parameter
    are tensors too. A file may hold an object twice, or in itself: each is seen once.
    """
    value = _state_of_module(value, seen) if isinstance(value, Inert) else value
    if not isinstance(value, dict) or id(value) in seen or len(name) > DEEPEST:
        return
    seen.add(id(value))
    tensors = {k: v for k, v in value.items() if isinstance(v, Tensor | InertArray)}
    if tensors and all(isinstance(key, str) for key in tensors):
        sets[name] = tensors
    for key, inner in value.items():
        if key in (*WRAPPERS, *TRANSPARENT, *OTHERS):
            _find_sets(inner, (*name, key), sets, seen)


def _state_of_module(inert, seen, depth=0):
    """The parameters of a pickled ``torch.nn.Module``, named as it names them."""
    attributes = inert.state
    if not isinstance(attributes, dict) or id(inert) in seen or depth > 4 * DEEPEST:
        return {}
    seen.add(id(inert))
    state = {}
    for group in ("_parameters", "_buffers"):
        entries = attributes.get(group)
        state |= entries if isinstance(entries, dict) else {}
    modules = attributes.get("_modules")
    for name, module in modules.items() if isinstance(modules, dict) else ():
        if isinstance(module, Inert):
            inner = _state_of_module(module, seen, depth + 1)
            state |= {f"{name}.{key}": value for key, value in inner.items()}
    return state


def _preference(name):
    """Sort key: weights before averages, wrapped before bare, then as in the tables.

    Beside a wrapped model, a bare tensor is a counter of the training.
    """
    order = (*WRAPPERS, *TRANSPARENT, *OTHERS)
    return any(part in OTHERS for part in name), not name, [*map(order.index, name)]


def _nothing(root, path):
    """Why a checkpoint holds no parameters."""
    if isinstance(root, Inert):
        return (
            f"{path} holds an object of class {root.path}, which is not made from a "
            "file. Save its parameters alone: torch.save(model.state_dict(), FILE)"
        )
    if not isinstance(root, dict):
        return f"expected a dict of parameters: {path}. Received: {type(root).__name__}"
    keys = few(list(root))
    return (
        f"expected a dict of parameters, or one under {', '.join(WRAPPERS)}: {path}. "
        f"Received a dict with {keys or 'nothing in it'}"
    )


def without_prefixes(state: dict[str, Any], origin: Any) -> Checkpoint:
    """Take the weights of a state dict, and the prefixes of wrappers off their names.

    Args:
        state: dict from name to array.
        origin: where it is from, for errors.

    Returns:
        A `Checkpoint`; averages (``ema.``) and a teacher (``teacher.``) among the
        weights are left out.

    Raises:
        ValueError: if it is empty or two names differ by a prefix alone.
    """
    sets = {}
    for key, value in state.items():
        prefix, name, role = _split(key)
        if name in COUNTS:
            continue
        named, prefixes = sets.setdefault(role, ({}, {}))
        if name in named:
            prefix = max(prefix, prefixes[name], key=len)
            raise ValueError(
                f"a key is there with and without {prefix!r}: {name} in {origin}"
            )
        named[name], prefixes[name] = value, prefix
    if not sets:
        raise ValueError(f"the checkpoint holds no parameters: {origin}")
    taken = min(sets, key=("", *OTHERS).index)
    return Checkpoint(
        sets[taken][0], taken, tuple(role for role in sets if role != taken)
    )


def _split(key):
    """Return the prefix of a key, the rest, and which of `OTHERS` it is of, or ""."""
    if key.startswith(MMCV_AVERAGE) and "." not in key:
        return MMCV_AVERAGE, key.removeprefix(MMCV_AVERAGE), "ema"
    *parts, last = key.split(".")
    role, used = "", 0
    for part in parts:
        if part in OTHERS:
            role = role or part
        elif part not in (*WRAPPERS, *TRANSPARENT):
            break
        used += 1
    return (
        "".join(f"{part}." for part in parts[:used]),
        ".".join([*parts[used:], last]),
        role,
    )


def few(keys: Sequence[str]) -> str:
    """Return the first keys and how many more there are, in words."""
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(str(key)[:120] for key in keys[:SHOWN]) + more


def _line(error):
    """An error in one line of bounded length."""
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
