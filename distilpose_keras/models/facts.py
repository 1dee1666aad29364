"""What is known of the named models without building one.

Counts are of this project's models: tests compare them with the published ones and
with `profile`. The papers' figures are printed in Tables 1 and 3 of DistilPose (Ye et
al., CVPR 2023), which quotes SimpleBaselines (Xiao et al., 2018) and HRNet (Sun et al.,
2019), whose tools counted otherwise. The AP of TokenPose on a stem is that of
TokenPose-S-v1 (Li et al., ICCV 2021), the same network.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


@dataclass(frozen=True)
class Facts:
    """Figures of one model.

    Attributes:
        family: its method.
        trainable_params: trainable parameters.
        gmacs: true multiply-accumulates of one image, in 1e9.
        paper_params_m: parameters as the paper prints them, in 1e6, or None.
        paper_gflops: the paper's count of operations, in 1e9, or None.
        paper_ap: AP on COCO val (a detector's boxes, flip test) as published, in
            points, or None.
    """

    family: str
    trainable_params: int
    gmacs: float
    paper_params_m: float | None = None
    paper_gflops: float | None = None
    paper_ap: float | None = None

    def to_dict(self):
        """Return a JSON-ready dict."""
        return asdict(self)


FACTS = {
    "distilpose_s": Facts("DistilPose", 5_364_101, 2.705, 5.36, 2.38, 71.6),
    "distilpose_l": Facts("DistilPose", 21_265_637, 10.61, 21.27, 10.33, 74.4),
    "tokenpose_stemnet": Facts("TokenPose", 6_620_736, 2.726, 6.6, 2.4, 72.5),
    "tokenpose_hrnet_w48": Facts("TokenPose", 69_411_360, 17.29, 69.41, 17.03, 72.5),
    "tokenpose_hrnet_w48_stage3": Facts("TokenPose", 22_522_272, 10.63),
    "simple_baseline_resnet50": Facts(
        "SimpleBaselines", 33_999_697, 5.426, 34.0, 8.9, 70.4
    ),
    "simple_baseline_resnet101": Facts(
        "SimpleBaselines", 52_991_825, 9.063, 53.0, 12.4, 71.4
    ),
    "simple_baseline_resnet152": Facts(
        "SimpleBaselines", 68_635_473, 12.70, 68.6, 15.7, 72.0
    ),
    "hrnet_w32": Facts("HRNet", 28_536_113, 7.645, 28.5, 7.1, 74.4),
    "hrnet_w48": Facts("HRNet", 63_595_745, 15.69, 63.6, 14.6, 75.1),
    "deeppose_resnet50": Facts("DeepPose", 23_577_698, 4.004),
    "deeppose_resnet50_distilled": Facts("DeepPose", 23_682_197, 4.004),
    "demo_student": Facts("DistilPose", 158_325, 0.006113),
    "demo_teacher": Facts("TokenPose", 199_656, 0.008342),
}


def shipped_weights(name):
    """Return the ``.keras`` file of a model that came with the package, or None."""
    file = WEIGHTS / f"{name}.keras"
    return file if file.is_file() else None
