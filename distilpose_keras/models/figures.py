"""What is known of a named model without building it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figures:
    """Figures of one named model, beside those that papers print.

    Counts are of this project's models: tests compare them with the published ones and
    with `profile`. The papers' figures are those of Tables 1 and 3 of DistilPose (Ye et
    al., CVPR 2023), which quotes other methods, whose tools counted otherwise, or of a
    method's own paper.

    Attributes:
        trainable_params: trainable parameters.
        gmacs: true multiply-accumulates of one image, in 1e9.
        paper_params_m: parameters as the paper prints them, in 1e6, or None.
        paper_gflops: the paper's count of operations, in 1e9, or None.
        paper_ap: AP on COCO val (a detector's boxes, flip test) as published, in
            points, or None.
        loss_params: trainable parameters of what only the loss needs, such as a flow;
            they are no part of the model or of ``trainable_params``.
    """

    trainable_params: int
    gmacs: float
    paper_params_m: float | None = None
    paper_gflops: float | None = None
    paper_ap: float | None = None
    loss_params: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)
