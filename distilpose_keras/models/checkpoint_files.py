"""Reads published checkpoints into plain arrays; runs no code that they contain."""

import zipfile
from pathlib import Path

import numpy as np

WRAPPERS = ("state_dict", "model_state_dict", "model")
ARRAY_SUFFIXES = {".npz", ".safetensors"}


def read_state_dict(path):
    """Read the parameters of a checkpoint.

    A PyTorch file (any suffix but these two), ``.npz`` or ``.safetensors``. The
    parameters may be wrapped in a ``state_dict`` entry; ``module.`` prefixes of
    data-parallel training are removed.

    Args:
        path: the file.

    Returns:
        dict from parameter name to array.

    Raises:
        ValueError: one line, if the file is missing or damaged, holds code rather
            than data, or no parameters.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such checkpoint: {path}")
    if path.suffix == ".npz":
        state = _read_npz(path)
    elif path.suffix == ".safetensors":
        state = _read_safetensors(path)
    else:
        state = _unwrap(_read_torch(path), path)
    return without_module_prefix(state, path)


def _read_npz(path):
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"not a readable .npz file: {path} ({error})") from error


def _read_safetensors(path):
    import safetensors
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (safetensors.SafetensorError, TypeError) as error:
        raise ValueError(f"not a readable checkpoint: {path} ({error})") from error


def _read_torch(path):
    """Unpickle tensors and plain values; anything else is refused, not run."""
    # PyTorch's file format needs PyTorch, whichever backend computes.
    import torch  # noqa: TID251

    try:
        with torch.serialization.safe_globals(_numpy_scalar_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile pickle makes it raise
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"expected a PyTorch checkpoint of plain tensors: {path}. "
            f"Refused: {reason or type(error).__name__}"
        ) from error


def _numpy_scalar_globals():
    """What pickles of NumPy scalars name: mmcv stores its best AP as one."""
    import _codecs

    scalar = np.float64(0).__reduce__()[0]
    kinds = (np.float64, np.float32, np.int64)
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *(type(np.dtype(kind)) for kind in kinds),
        _codecs.encode,
    ]


def _unwrap(checkpoint, path):
    """The dict of tensors in a checkpoint, as arrays."""
    for wrapper in WRAPPERS:
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get(wrapper), dict):
            checkpoint = checkpoint[wrapper]
            break
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f"expected a dict of parameters: {path}. "
            f"Received: {type(checkpoint).__name__}"
        )
    bad = [key for key, value in checkpoint.items() if not hasattr(value, "numpy")]
    if bad:
        raise ValueError(
            f"expected a dict of parameters: {path}. Not a tensor: {bad[:5]}"
        )
    return {key: _to_array(value) for key, value in checkpoint.items()}


def _to_array(tensor):
    """A tensor's values; bfloat16, which NumPy has not, becomes float32."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def without_module_prefix(state, origin):
    """Remove ``module.`` from all keys of a state dict.

    Raises:
        ValueError: if it is empty or a key is there with and without the prefix.
    """
    if not state:
        raise ValueError(f"the checkpoint holds no parameters: {origin}")
    clean = {key.removeprefix("module."): value for key, value in state.items()}
    if len(clean) != len(state):
        raise ValueError(f"keys are there with and without 'module.': {origin}")
    return clean
