"""Names of published parameters: what tells releases of one model apart."""

from collections.abc import Mapping, Sequence
from typing import Any


def renamed(
    state: Mapping[str, Any], prefixes: Mapping[str, str], dropped: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a state dict with other prefixes, without the keys that start otherwise.

    Args:
        state: dict from key to array.
        prefixes: dict from the prefix that a key has to the one that it gets.
        dropped: prefixes of keys that are left out.
    """
    found = {}
    for key, value in state.items():
        for old, new in prefixes.items():
            if key.startswith(old):
                key = new + key.removeprefix(old)
        if not key.startswith(tuple(dropped)):
            found[key] = value
    return found


def as_mmpose_0(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict of mmpose 1.x with the names of 0.x; those of 0.x stay.

    Its normalisation of images, ``data_preprocessor.``, is left out.
    """
    return renamed(state, {"head.": "keypoint_head."}, ("data_preprocessor.",))
