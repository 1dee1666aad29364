"""The named models: one frozen configuration each."""

from dataclasses import asdict, dataclass, fields, replace

from distilpose_keras.keypoints import COCO_17, KeypointSchema

BACKBONES = ("stemnet", "hrnet", "resnet", "lite")
STUDENT_HEADS = ("token_regression", "regression", "integral")
TEACHER_HEADS = ("token_heatmap", "heatmap")
FEATURE_STRIDE = 4  # of the map that is cut into patches, and of every heatmap
RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True)
class ModelConfig:
    """Everything that determines a model's graph.

    The defaults are the paper's: DistilPose-S on COCO.

    Attributes:
        name: the model's name; a configuration of one's own may have any.
        input_size: (height, width) of the crop, in pixels.
        schema: what the K keypoints are.
        backbone: ``"stemnet"``, ``"hrnet"`` or ``"resnet"``.
        head: ``"token_regression"`` (DistilPose), ``"token_heatmap"`` (TokenPose),
            ``"regression"`` (DeepPose) or ``"heatmap"`` (SimpleBaselines, HRNet).
        stem_width: channels of the two strided convolutions (stemnet, hrnet).
        stem_blocks: bottlenecks after them (stemnet, hrnet).
        stem_block_width: inner channels of these; four times as many come out.
        hrnet_width: channels of HRNet's finest branch.
        hrnet_stages: 3 or 4, the stage whose finest branch is the feature map.
        resnet_depth: 50, 101 or 152.
        lite_widths: channels at strides 8 and 4 of the way up (lite).
        patch_size: (height, width) of a visual token on the feature map.
        token_dim: D, channels of a token.
        token_layers: transformer layers.
        token_heads: attention heads.
        token_mlp_ratio: hidden over outer channels of the transformer's MLPs.
        heatmap_hidden: hidden channels between keypoint token and heatmap.
        deconv_layers: stride-2 transposed convolutions of the heatmap head.
        confidence: whether a regression head predicts a score and sigmas too. Token
            students always do; a DeepPose needs it to be distilled from heatmaps.
        num_sigmas: 2, or 1 where x and y share one sigma (the paper's Table B).
    """

    name: str
    input_size: tuple[int, int] = (256, 192)
    schema: KeypointSchema = COCO_17
    backbone: str = "stemnet"
    head: str = "token_regression"
    stem_width: int = 64
    stem_blocks: int = 4
    stem_block_width: int = 64
    hrnet_width: int = 48
    hrnet_stages: int = 3
    resnet_depth: int = 50
    lite_widths: tuple[int, int] = (64, 48)
    patch_size: tuple[int, int] = (4, 3)
    token_dim: int = 192
    token_layers: int = 12
    token_heads: int = 8
    token_mlp_ratio: int = 3
    heatmap_hidden: int = 384
    deconv_layers: int = 0
    confidence: bool = True
    num_sigmas: int = 2

    def __post_init__(self):
        """Check that the parts exist and the sizes divide."""
        heads = STUDENT_HEADS + TEACHER_HEADS
        for field, allowed in (
            ("backbone", BACKBONES),
            ("head", heads),
            ("hrnet_stages", (3, 4)),
            ("resnet_depth", tuple(RESNET_BLOCKS)),
            ("num_sigmas", (1, 2)),
        ):
            if getattr(self, field) not in allowed:
                raise ValueError(
                    f"{field} must be one of {allowed}. "
                    f"Received: {getattr(self, field)!r}"
                )
        stride = self._backbone_stride
        self._check_divisible("input_size", self.input_size, [stride, stride])
        if self.has_tokens:
            if self.backbone == "resnet":
                raise ValueError("a token head needs a stemnet or hrnet backbone")
            patch = [FEATURE_STRIDE * p for p in self.patch_size]
            self._check_divisible("input_size", self.input_size, patch)
            self._check_divisible("token_dim", [self.token_dim], [self.token_heads])
            self._check_divisible("token_dim", [self.token_dim], [4])

    @staticmethod
    def _check_divisible(name, values, divisors):
        """Raise unless each value is a positive multiple of its divisor."""
        if any(v <= 0 or v % d for v, d in zip(values, divisors, strict=True)):
            raise ValueError(
                f"{name} must be a multiple of {divisors}. Received: {list(values)}"
            )

    @property
    def _backbone_stride(self):
        """Stride of the coarsest feature map, which the input must divide by."""
        if self.backbone == "stemnet":
            return FEATURE_STRIDE
        if self.backbone == "lite":
            return 16
        return 32 if self.backbone == "resnet" or self.hrnet_stages == 4 else 16

    @property
    def num_keypoints(self):
        """K, the number of keypoints."""
        return self.schema.num_keypoints

    @property
    def heatmap_size(self):
        """(height, width) of a heatmap, and of the feature map under a token head."""
        height, width = self.input_size
        return height // FEATURE_STRIDE, width // FEATURE_STRIDE

    @property
    def patch_grid(self):
        """(rows, columns) of visual tokens."""
        height, width = self.heatmap_size
        return height // self.patch_size[0], width // self.patch_size[1]

    @property
    def has_tokens(self):
        """Whether the head is a transformer over keypoint and visual tokens."""
        return self.head in ("token_regression", "token_heatmap")

    @property
    def is_teacher(self):
        """Whether the model predicts heatmaps."""
        return self.head in TEACHER_HEADS

    def to_dict(self):
        """Return a JSON-ready dict that `from_dict` reads back."""
        return {**asdict(self), "schema": self.schema.to_dict()}

    @classmethod
    def from_dict(cls, data):
        """Read the dict written by `to_dict`."""
        return replace(
            cls(name=data["name"]),
            **{
                **data,
                "schema": KeypointSchema.from_dict(data["schema"]),
                "input_size": tuple(data["input_size"]),
                "patch_size": tuple(data["patch_size"]),
                "lite_widths": tuple(data.get("lite_widths", cls.lite_widths)),
            },
        )

    def with_overrides(self, **overrides):
        """Return a copy with other values for some fields.

        Raises:
            ValueError: if a field does not exist or a value does not fit.
        """
        known = {field.name for field in fields(self)}
        unknown = sorted(set(overrides) - known)
        if unknown:
            raise ValueError(
                f"a model has no setting {unknown}; known: {sorted(known)}"
            )
        return replace(self, **overrides)


def _simple_baseline(depth):
    """SimpleBaselines (Xiao et al., 2018): a ResNet and three deconvolutions."""
    return ModelConfig(
        name=f"simple_baseline_resnet{depth}",
        backbone="resnet",
        resnet_depth=depth,
        head="heatmap",
        deconv_layers=3,
    )


def _hrnet(width):
    """HRNet (Sun et al., 2019): four stages and a 1x1 convolution."""
    return ModelConfig(
        name=f"hrnet_w{width}",
        backbone="hrnet",
        hrnet_width=width,
        hrnet_stages=4,
        head="heatmap",
    )


_DEMO = {  # a pair that two CPU cores train in minutes
    "input_size": (64, 48),
    "stem_block_width": 16,
    "token_dim": 64,
    "token_layers": 3,
    "token_heads": 4,
    "token_mlp_ratio": 2,
}

# Trainable parameters beside each.
_ALL = (
    ModelConfig(name="distilpose_s"),  # 5,364,101; the paper's Table 1
    ModelConfig(name="distilpose_l", backbone="hrnet"),  # 21,265,637; Table 1
    ModelConfig(name="tokenpose_stemnet", head="token_heatmap"),  # 6,620,736
    ModelConfig(  # 69,411,360; the paper's teacher
        name="tokenpose_hrnet_w48",
        backbone="hrnet",
        hrnet_stages=4,
        head="token_heatmap",
    ),
    ModelConfig(  # 22,522,272
        name="tokenpose_hrnet_w48_stage3", backbone="hrnet", head="token_heatmap"
    ),
    _simple_baseline(50),  # 33,999,697
    _simple_baseline(101),  # 52,991,825
    _simple_baseline(152),  # 68,635,473
    _hrnet(32),  # 28,536,113
    _hrnet(48),  # 63,595,745
    ModelConfig(  # 23,577,698
        name="deeppose_resnet50", backbone="resnet", head="regression", confidence=False
    ),
    ModelConfig(  # 23,682,197; DeepPose that can be distilled, the paper's Table 6
        name="deeppose_resnet50_distilled", backbone="resnet", head="regression"
    ),
    ModelConfig(name="demo_student", stem_width=16, stem_blocks=1, **_DEMO),  # 158,325
    ModelConfig(  # 199,656
        name="demo_teacher",
        head="token_heatmap",
        stem_width=24,
        stem_blocks=2,
        heatmap_hidden=128,
        **_DEMO,
    ),
)
MODELS = {config.name: config for config in _ALL}
