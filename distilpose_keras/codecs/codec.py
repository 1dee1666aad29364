"""What all codecs can do, and what the rest of the house asks of them.

Legend: B or N samples, K keypoints. Keypoints are (..., K, 2): x as a fraction of the
crop's width, y of its height. Outputs are a model's, by name.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

import numpy as np

from distilpose_keras.keypoints import KeypointSchema

Outputs = dict[str, Any]


class Codec(ABC):
    """How the outputs of a model say where its keypoints are.

    `decode` and `average_mirrored` compute in NumPy, for evaluation; `graph_decode` in
    `keras.ops`, for graphs that are exported. Both decode to the same points.

    Attributes:
        outputs: names of the outputs that decoding reads.
        heatmap_size: (H, W) of the heatmaps that the outputs stand for, which is what
            a student can be taught; None if they stand for none.
        mirror_shift: by how much of the crop's width keypoints of mirrored crops lie
            too far right once they are mirrored back and decoded.
    """

    outputs: ClassVar[tuple[str, ...]]
    heatmap_size: tuple[int, int] | None
    mirror_shift: float = 0.0

    @abstractmethod
    def decode(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        """Return keypoints (N, K, 2) and their scores (N, K)."""

    @abstractmethod
    def graph_decode(self, outputs: Outputs) -> Outputs:
        """Return the tensors `keypoints` (B, K, 2) and `scores` (B, K, 1)."""

    @abstractmethod
    def average_mirrored(
        self, outputs: Outputs, mirrored: Outputs, schema: KeypointSchema
    ) -> Outputs:
        """Average outputs with those of the mirrored crops, as published.

        Args:
            outputs: of the crops.
            mirrored: of the same crops, mirrored left to right.
            schema: of the keypoints: which are left and which right.
        """

    def heatmaps(self, outputs: Outputs) -> Any:
        """Return the heatmaps (B, K, H, W) that the outputs stand for.

        Raises:
            ValueError: if they stand for none.
        """
        raise ValueError(
            "expected outputs that stand for heatmaps. Received: "
            f"{', '.join(self.outputs)}"
        )

    def with_dark(self, dark: bool | None) -> "Codec":
        """Return the codec that refines peaks by DARK, or does not.

        Args:
            dark: None changes nothing.

        Raises:
            ValueError: if there are no peaks to refine.
        """
        if dark is None:
            return self
        raise ValueError(
            "DARK refines the peaks of heatmaps. Received: a model that predicts "
            f"{', '.join(self.outputs)}"
        )

    def scores_at(self, outputs: Outputs, keypoints: np.ndarray) -> np.ndarray | None:
        """Return the scores (N, K) that outputs give to other keypoints.

        The peak of a map jumps where two are equally high; how much lower the map is
        elsewhere does not. None where outputs are the keypoints themselves.

        Args:
            outputs: arrays by name.
            keypoints: (N, K, 2).
        """
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return asdict(self) if is_dataclass(self) else {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Codec":
        """Make the codec that `get_config` describes."""
        return cls(**config)
