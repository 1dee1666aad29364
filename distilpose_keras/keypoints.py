"""Keypoint schemas: what the K keypoints of a model are."""

from dataclasses import dataclass, replace

import numpy as np


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
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    skeleton: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    upper_body: tuple[int, ...]

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
    def num_keypoints(self):
        """K, the number of keypoints."""
        return len(self.names)

    @property
    def flip_permutation(self):
        """(K,) int array: ``keypoints[flip_permutation]`` exchanges left and right."""
        permutation = np.arange(self.num_keypoints)
        for left, right in self.flip_pairs:
            permutation[left], permutation[right] = right, left
        return permutation

    @property
    def lower_body(self):
        """Indices of the keypoints that are not upper body."""
        return tuple(i for i in range(len(self.names)) if i not in self.upper_body)

    @classmethod
    def from_coco_category(cls, category, sigmas=None):
        """Build a schema from a COCO ``categories`` entry.

        Left and right are paired by name (``left_X`` with ``right_X``). A category
        with COCO's own 17 names gets COCO's sigmas; another one needs ``sigmas`` or
        is given 0.05 for every keypoint.

        Args:
            category: dict with ``keypoints`` (names) and ``skeleton`` (1-based pairs).
            sigmas: K OKS standard deviations, or None.

        Raises:
            ValueError: if the category names no keypoints or its skeleton is invalid.
        """
        names = tuple(category.get("keypoints", ()))
        if not names:
            raise ValueError(
                "a keypoint category must list its keypoint names under 'keypoints'. "
                f"Received: {sorted(category)}"
            )
        if names == COCO_17.names and sigmas is None:
            return COCO_17
        index = {name: i for i, name in enumerate(names)}
        pairs = tuple(
            (index[name], index["right" + name[4:]])
            for name in names
            if name.startswith("left") and "right" + name[4:] in index
        )
        legs = ("hip", "knee", "ankle", "foot", "toe", "heel", "leg")
        return cls(
            names=names,
            flip_pairs=pairs,
            skeleton=tuple((a - 1, b - 1) for a, b in category.get("skeleton", ())),
            sigmas=tuple(sigmas) if sigmas is not None else (0.05,) * len(names),
            upper_body=tuple(
                i for i, n in enumerate(names) if not any(leg in n for leg in legs)
            ),
        )

    def with_sigmas(self, sigmas):
        """Return the same schema with other OKS sigmas."""
        return replace(self, sigmas=tuple(float(s) for s in sigmas))

    def to_dict(self):
        """Return a JSON-ready dict that `from_dict` reads back."""
        return {
            "names": list(self.names),
            "flip_pairs": [list(p) for p in self.flip_pairs],
            "skeleton": [list(p) for p in self.skeleton],
            "sigmas": list(self.sigmas),
            "upper_body": list(self.upper_body),
        }

    @classmethod
    def from_dict(cls, data):
        """Read the dict written by `to_dict`."""
        return cls(
            names=tuple(data["names"]),
            flip_pairs=tuple((int(a), int(b)) for a, b in data["flip_pairs"]),
            skeleton=tuple((int(a), int(b)) for a, b in data["skeleton"]),
            sigmas=tuple(float(s) for s in data["sigmas"]),
            upper_body=tuple(int(i) for i in data["upper_body"]),
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
