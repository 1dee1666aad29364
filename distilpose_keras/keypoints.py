"""Keypoint schemas: what the K keypoints of a model are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distilpose_keras.keypoint_names import canonical_name, pair_sides
from distilpose_keras.skeletons import skeleton_lines
from distilpose_keras.types import Json

UNKNOWN_SIGMA = 0.05  # OKS deviation of a keypoint that COCO does not know
_LOWER_BODY = ("hip", "knee", "ankle", "foot", "toe", "heel", "leg")


@dataclass(frozen=True)
class KeypointSchema:
    """The names, symmetries and OKS constants of a set of K keypoints.

    Attributes:
        names: K keypoint names, in output order.
        flip_pairs: index pairs (left, right) that a horizontal flip exchanges.
        skeleton: index pairs (0-based) that a drawing joins.
        sigmas: K OKS standard deviations (Ronchi and Perona, 2017), as fractions
            of the square root of the person's area.
        upper_body: indices of the upper-body keypoints; the others are lower body.
            Half-body augmentation cuts between the two.
        unpaired: names that hold a side of the body and have no partner in
            ``flip_pairs``: with one of them, nothing may be mirrored.
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    skeleton: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    upper_body: tuple[int, ...]
    unpaired: tuple[str, ...] = ()

    def __post_init__(self):
        """Check that all indices and lengths fit the names."""
        k = len(self.names)
        if len(self.sigmas) != k:
            raise ValueError(
                f"sigmas must have one value per keypoint ({k}). "
                f"Received: {len(self.sigmas)}"
            )
        indices = [i for pair in self.flip_pairs + self.skeleton for i in pair]
        bad = [i for i in [*indices, *self.upper_body] if not 0 <= i < k]
        if bad:
            raise ValueError(f"keypoint indices must be in [0, {k}). Received: {bad}")

    @property
    def num_keypoints(self) -> int:
        """K, the number of keypoints."""
        return len(self.names)

    @property
    def flip_permutation(self) -> np.ndarray:
        """(K,) int array: ``keypoints[flip_permutation]`` exchanges left and right.

        Raises:
            ValueError: naming the `unpaired` keypoints, if there are any.
        """
        self.check_mirror()
        permutation = np.arange(self.num_keypoints)
        for left, right in self.flip_pairs:
            permutation[left], permutation[right] = right, left
        return permutation

    def check_mirror(self) -> None:
        """Raise a ValueError if a mirror would mix left and right."""
        if self.unpaired:
            raise ValueError(
                "pictures cannot be mirrored: the names of these keypoints hold a side "
                f"and no partner was found: {', '.join(self.unpaired)}. Give the pairs "
                "(flip_pairs), or do not mirror"
            )

    @property
    def lower_body(self) -> tuple[int, ...]:
        """Indices of the keypoints that are not upper body."""
        return tuple(i for i in range(len(self.names)) if i not in self.upper_body)

    @classmethod
    def from_coco_category(
        cls,
        category: Mapping[str, Any],
        sigmas: Iterable[float] | None = None,
        flip_pairs: Iterable[tuple[str | int, str | int]] | None = None,
    ) -> "KeypointSchema":
        """Build a schema from a COCO ``categories`` entry.

        Left and right are paired by name, in the usual spellings (see `pair_sides`).
        Keypoints that COCO knows by name have COCO's sigmas, others 0.05. Lines of the
        skeleton that cannot be drawn are left out (see `skeleton_lines`); where there
        is none, COCO's lines between the keypoints that it knows are drawn.

        Args:
            category: dict with ``keypoints`` (names) and ``skeleton`` (1-based pairs).
            sigmas: K OKS standard deviations, or None.
            flip_pairs: (left, right) pairs of names or 0-based indices, where the names
                do not tell; () if a mirror exchanges nothing.

        Raises:
            ValueError: if the category names no keypoints or a pair is none of them.
        """
        names = category.get("keypoints")
        if not isinstance(names, (list, tuple)) or not names:
            raise ValueError(
                "a keypoint category must list its keypoint names under 'keypoints'. "
                f"Received: {sorted(map(str, category))}"
            )
        names = tuple(str(name) for name in names)
        if names == COCO_17.names and sigmas is None and flip_pairs is None:
            return COCO_17
        known = _places_in_coco(names)
        if sigmas is None:
            sigmas = (UNKNOWN_SIGMA if k is None else COCO_17.sigmas[k] for k in known)
        pairs, unpaired = pair_sides(names)
        lines, _ = skeleton_lines(category.get("skeleton"), names)
        schema = cls(
            names=names,
            flip_pairs=pairs,
            skeleton=lines or _coco_lines(known),
            sigmas=tuple(float(sigma) for sigma in sigmas),
            upper_body=tuple(
                i
                for i, name in enumerate(names)
                if not any(part in name.lower() for part in _LOWER_BODY)
            ),
            unpaired=unpaired,
        )
        return schema if flip_pairs is None else schema.with_flip_pairs(flip_pairs)

    def with_flip_pairs(
        self, pairs: Iterable[tuple[str | int, str | int]]
    ) -> "KeypointSchema":
        """Return the same schema with these pairs; its word counts, not the names'.

        Args:
            pairs: (left, right) pairs of names or 0-based indices.

        Raises:
            ValueError: if a pair is not two keypoints, or one is in two pairs.
        """
        try:
            found = [tuple(map(self._index, pair)) for pair in pairs]
        except TypeError:
            found = [()]
        flat = [index for pair in found for index in pair]
        if any(len(pair) != 2 for pair in found) or len(set(flat)) < len(flat):
            raise ValueError(
                "flip_pairs must be pairs of a left and a right keypoint, each in one "
                f"pair. Received: {pairs}"
            )
        return replace(self, flip_pairs=tuple(found), unpaired=())

    def _index(self, keypoint):
        """The position of a keypoint given by name or position."""
        if keypoint in self.names:
            return self.names.index(keypoint)
        if isinstance(keypoint, int) and 0 <= keypoint < len(self.names):
            return keypoint
        raise ValueError(
            f"flip_pairs must hold keypoints of {', '.join(self.names)}. "
            f"Received: {keypoint!r}"
        )

    def with_sigmas(self, sigmas: Iterable[float]) -> "KeypointSchema":
        """Return the same schema with other OKS sigmas."""
        return replace(self, sigmas=tuple(float(s) for s in sigmas))

    def to_dict(self) -> Json:
        """Return a JSON-ready dict that `from_dict` reads back."""
        return {
            "names": list(self.names),
            "flip_pairs": [list(p) for p in self.flip_pairs],
            "skeleton": [list(p) for p in self.skeleton],
            "sigmas": list(self.sigmas),
            "upper_body": list(self.upper_body),
            **({"unpaired": list(self.unpaired)} if self.unpaired else {}),
        }

    @classmethod
    def from_dict(cls, data: Json) -> "KeypointSchema":
        """Read the dict written by `to_dict`."""
        return cls(
            names=tuple(data["names"]),
            flip_pairs=tuple((int(a), int(b)) for a, b in data["flip_pairs"]),
            skeleton=tuple((int(a), int(b)) for a, b in data["skeleton"]),
            sigmas=tuple(float(s) for s in data["sigmas"]),
            upper_body=tuple(int(i) for i in data["upper_body"]),
            unpaired=tuple(data.get("unpaired", ())),
        )


def _places_in_coco(names):
    """K positions in COCO's keypoints, by name in any spelling; None for others."""
    places = {name: k for k, name in enumerate(COCO_17.names)}
    spelled = [canonical_name(name) for name in names]
    return [places.get(name) if spelled.count(name) == 1 else None for name in spelled]


def _coco_lines(places):
    """COCO's lines between the keypoints that it knows."""
    index = {place: n for n, place in enumerate(places) if place is not None}
    return tuple(
        (index[a], index[b]) for a, b in COCO_17.skeleton if a in index and b in index
    )


# COCO person keypoints (Lin et al., 2014); sigmas from the COCO keypoint evaluation.
COCO_17 = KeypointSchema(
    names=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    skeleton=(
        (15, 13),
        (13, 11),
        (16, 14),
        (14, 12),
        (11, 12),
        (5, 11),
        (6, 12),
        (5, 6),
        (5, 7),
        (6, 8),
        (7, 9),
        (8, 10),
        (1, 2),
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 4),
        (3, 5),
        (4, 6),
    ),
    sigmas=(
        0.026,
        0.025,
        0.025,
        0.035,
        0.035,
        0.079,
        0.079,
        0.072,
        0.072,
        0.062,
        0.062,
        0.107,
        0.107,
        0.087,
        0.087,
        0.089,
        0.089,
    ),
    upper_body=tuple(range(11)),
)
