"""What the configurations of all families have in common."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from distilpose_keras.codecs.codec import Codec
from distilpose_keras.geometry import PLAIN, CropGeometry
from distilpose_keras.keypoints import COCO_17, KeypointSchema
from distilpose_keras.losses.labels import LabelLoss
from distilpose_keras.models.backbones import BACKBONES
from distilpose_keras.pixels import IMAGE_MEAN, IMAGE_STD

if TYPE_CHECKING:
    from distilpose_keras.models.folding import Folding


@dataclass(frozen=True)
class PoseConfig:
    """Everything that determines a model's graph, and how its outputs are used.

    A family of models subclasses it with fields of its own and says, by the methods
    below, all that the rest of the house needs to know of it. Settings of a part, such
    as a backbone, are a frozen dataclass in a field.

    Attributes:
        name: the model's name; a configuration of one's own may have any.
        input_size: (height, width) of the crop, in pixels.
        schema: what the K keypoints are.
    """

    name: str
    input_size: tuple[int, int] = (256, 192)
    schema: KeypointSchema = COCO_17

    # Of RGB in [0, 1], as the published weights were trained with.
    image_mean: ClassVar[tuple[float, ...]] = IMAGE_MEAN
    image_std: ClassVar[tuple[float, ...]] = IMAGE_STD
    # Whether the channels enter as BGR; the first is normalised as red is nonetheless.
    bgr: ClassVar[bool] = False
    # How crops are cut, and what 0 and 1 of a keypoint are.
    geometry: ClassVar[CropGeometry] = PLAIN
    # How a person's score follows from those of its box and keypoints: a key of
    # `distilpose_keras.person_scores.PERSON_SCORES`.
    person_score: ClassVar[str] = "confident_mean"
    # Whether labels teach the scores; else a teacher must.
    scores_from_labels: ClassVar[bool] = False
    # Whether int8-full files can be made: no floating-point operator is left.
    integer_only: ClassVar[bool] = False
    # Whether a teacher of heatmaps can teach it: it predicts scores and sigmas.
    distillable: ClassVar[bool] = False

    @property
    def num_keypoints(self) -> int:
        """K, the number of keypoints."""
        return self.schema.num_keypoints

    @property
    def codec(self) -> Codec:
        """How the outputs say where the keypoints are."""
        raise self._missing("a codec")

    def build(self, images: Any) -> dict[str, Any]:
        """Build the graph.

        Args:
            images: (B, H, W, 3) normalised RGB.

        Returns:
            dict of named outputs.
        """
        raise self._missing("a graph")

    def label_loss(self, model: Any) -> LabelLoss:
        """Return the loss of a model of this configuration on labels."""
        raise self._missing("a loss")

    def shown(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Return outputs as the terms of a distillation read them.

        `heatmaps` (B, K, H, W) of a teacher; `keypoints` (B, K, 2), `scores` (B, K, 1)
        and `sigmas` (B, K, 2), in heatmap pixels, of a student; tokens of both.
        """
        if self.codec.heatmap_size is None:
            return outputs
        return {**outputs, "heatmaps": self.codec.heatmaps(outputs)}

    def read_checkpoint(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return a published checkpoint with keys named as this model's layers are.

        Args:
            state: dict from published key to array.

        Raises:
            ValueError: if an entry is not what the model computes by itself.
        """
        return state

    def deploy(self, folding: "Folding") -> dict[str, Any]:
        """Build the inference graph from images to the decoded outputs.

        Args:
            folding: a trained model on its way into another graph.

        Returns:
            dict of `keypoints` (B, K, 2) and `scores` (B, K, 1).
        """
        return folding.decode(folding.outputs(self.codec.outputs))

    def quantized_outputs(self, quantized: Any, model: Any) -> dict[str, Any]:
        """Return what training needs beside the outputs of an integer graph.

        Args:
            quantized: `distilpose_keras.quantization.graph.FakeQuantizedGraph`.
            model: the trained model that it was made of.

        Returns:
            dict of outputs, such as `sigmas`, in float32.
        """
        raise self._missing("what integers leave out")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict of the fields."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _to_json(value) for name, value in data.items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "PoseConfig":
        """Read the dict written by `to_dict`."""
        known = {field.name: field.default for field in fields(cls)}
        cls._check_names(data)
        values = {name: _from_json(v, known[name]) for name, v in data.items()}
        return cls(**values)

    def with_overrides(self, **overrides: Any) -> "PoseConfig":
        """Return a copy with other values for some fields.

        A dict changes some settings of a part: ``backbone={"width": 16}``.

        Raises:
            ValueError: if a field does not exist or a value does not fit.
        """
        self._check_names(overrides)
        return replace(self, **{k: self._updated(k, v) for k, v in overrides.items()})

    def _updated(self, name, value):
        part = getattr(self, name)
        if not (is_dataclass(part) and isinstance(value, dict)):
            return value
        known = [field.name for field in fields(part)]
        unknown = sorted(set(value) - set(known))
        if unknown:
            raise ValueError(f"{name} has no setting {unknown}; known: {sorted(known)}")
        return replace(part, **value)

    @classmethod
    def _check_names(cls, names):
        known = sorted(field.name for field in fields(cls))
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ValueError(
                f"a {cls.__name__} has no setting {unknown}; known: {known}"
            )

    def _missing(self, what):
        return TypeError(f"{type(self).__name__} must say what {what} is")

    def _check_input_size(self, height: int, width: int) -> None:
        """Raise unless the input is a positive multiple of (height, width)."""
        check_divisible("input_size", self.input_size, (height, width))


def check_divisible(name: str, values: Sequence[int], divisors: Sequence[int]) -> None:
    """Raise a ValueError unless each value is a positive multiple of its divisor."""
    if any(v <= 0 or v % d for v, d in zip(values, divisors, strict=True)):
        raise ValueError(
            f"{name} must be a multiple of {list(divisors)}. Received: {list(values)}"
        )


def _to_json(value):
    if isinstance(value, KeypointSchema):
        return value.to_dict()
    for kind, backbone in BACKBONES.items():
        if isinstance(value, backbone):
            return {"kind": kind, **asdict(value)}
    return asdict(value) if is_dataclass(value) else value


def _from_json(value, default):
    """Read a value; the field's default tells what it is."""
    if isinstance(default, KeypointSchema):
        return KeypointSchema.from_dict(value)
    if isinstance(value, dict):
        value = dict(value)
        part = BACKBONES[value.pop("kind")] if "kind" in value else type(default)
        defaults = {field.name: field.default for field in fields(part)}
        return part(**{k: _from_json(v, defaults[k]) for k, v in value.items()})
    return tuple(value) if isinstance(value, list) else value
