"""PosePredictor: keypoints in pixels from an image and person boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from distilpose_keras.codecs.codec import Codec
from distilpose_keras.crops import crop_people
from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.geometry import CropGeometry
from distilpose_keras.keypoints import KeypointSchema
from distilpose_keras.person_scores import DEFAULT_PERSON_SCORE, PERSON_SCORES
from distilpose_keras.scoring import flat_triples
from distilpose_keras.types import FilePath, Json, Size

if TYPE_CHECKING:
    from distilpose_keras.models.model import PoseModel


@dataclass(frozen=True)
class PoseResult:
    """The poses of the people of one image.

    Attributes:
        keypoints: (N, K, 2) float64 x and y in pixels of the image.
        scores: (N, K) float32 confidences of the keypoints.
    """

    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        """Return the number of people, N."""
        return len(self.keypoints)

    def to_supervision(self) -> Any:
        """Return the poses as ``supervision.KeyPoints``, for its annotators.

        Raises:
            ModuleNotFoundError: if supervision is not installed.
        """
        try:
            import supervision
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "to_supervision needs supervision: pip install supervision"
            ) from None
        return supervision.KeyPoints(
            xy=self.keypoints.astype(np.float32), keypoint_confidence=self.scores
        )

    def to_coco(self, image_id: int | str, category_id: int = 1) -> list[Json]:
        """Return the poses in COCO's result format, ready for ``json.dump``.

        The score of a person is the mean of its keypoints' scores.

        Args:
            image_id: id of the picture in the annotation file.
            category_id: id of the people's category there.
        """
        triples = flat_triples(self.keypoints, self.scores)
        return [
            {
                "image_id": image_id,
                "category_id": category_id,
                "keypoints": pose,
                "score": float(scores.mean()),
            }
            for pose, scores in zip(triples, self.scores, strict=True)
        ]

    @classmethod
    def from_coco(cls, results: Sequence[Json]) -> "PoseResult":
        """Read the people of one picture from COCO results.

        Args:
            results: N dicts with ``keypoints``, 3 K numbers each.

        Raises:
            ValueError: if the entries are of several pictures or differ in length.
        """
        pictures = {entry.get("image_id") for entry in results}
        lengths = {len(entry["keypoints"]) for entry in results}
        if len(pictures) > 1 or len(lengths) > 1 or any(n % 3 for n in lengths):
            raise ValueError(
                "results must be of one picture, with x, y and score of the same "
                f"keypoints each. Received: pictures {sorted(map(str, pictures))[:5]}, "
                f"{sorted(lengths)[:5]} numbers"
            )
        count = max(lengths, default=0) // 3
        poses = np.array([entry["keypoints"] for entry in results], np.float64)
        poses = poses.reshape(len(results), count, 3)
        return cls(poses[..., :2], poses[..., 2].astype(np.float32))


class PosePredictor:
    """Run a model on people in images, whatever its kind and file format.

    Example:
        >>> predictor = PosePredictor("student.tflite")
        >>> result = predictor.predict(image, [[40, 20, 120, 300]])
        >>> result.keypoints.shape
        (1, 17, 2)

    Attributes:
        input_size: (height, width) of a crop.
        geometry: the `CropGeometry` of crops and keypoints.
        schema: the `KeypointSchema` of the K keypoints.
        metadata: what the file says about itself, a dict.
        runtime: ``"keras"``, ``"tflite"`` or ``"onnx"``.
        codec: how the model's outputs are decoded.
        person_scores: function of keypoint scores (N, K) and box scores (N,) to person
            scores (N,), as the model's method defines them.
    """

    def __init__(
        self,
        model: "PoseModel | FilePath",
        *,
        batch_size: int = 32,
        num_threads: int | None = None,
        dark: bool | None = None,
    ) -> None:
        """Open a model.

        Args:
            model: a `PoseModel`, the path of a ``.keras``, ``.tflite`` or ``.onnx``
                file of this project, or the name of a model whose trained weights
                are in the package, such as ``"distilpose_nano"``, which runs in ONNX
                Runtime.
            batch_size: crops run at once; TFLite files run them one by one.
            num_threads: threads of TFLite or ONNX Runtime; all cores by default.
            dark: whether peaks of heatmaps are refined by DARK; None as the model's
                codec does. Exported files have decoded already.

        Raises:
            ValueError: if the file is missing, truncated, of another kind or not
                ours; one line that names it.
        """
        self._runtime = open_runtime(model, num_threads=num_threads)
        self.batch_size = batch_size
        self.input_size: Size = self._runtime.input_size
        self.geometry: CropGeometry = self._runtime.geometry
        self.schema: KeypointSchema = self._runtime.schema
        self.metadata: Json = self._runtime.metadata
        self.runtime: str = self._runtime.name
        # A student trained without a teacher has a score head that nobody taught.
        self._has_confidence = self.metadata.get("confidence", True)
        self.codec: Codec = self._runtime.codec.with_dark(dark)
        rule = self.metadata.get("person_score", DEFAULT_PERSON_SCORE)
        self.person_scores = PERSON_SCORES[rule]

    def predict(
        self, image: ArrayLike, boxes_xywh: ArrayLike, *, flip: bool = False
    ) -> PoseResult:
        """Find the keypoints of the people in an image.

        Args:
            image: (height, width, 3) uint8 RGB.
            boxes_xywh: (N, 4) person boxes in pixels: left, top, width, height.
            flip: average with the mirrored image, as COCO results do.

        Returns:
            A `PoseResult`; empty where there are no boxes.

        Raises:
            ValueError: if the image or the boxes have another shape or type.
        """
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                "image must be (height, width, 3) uint8 RGB. "
                f"Received: {image.shape} {image.dtype}"
            )
        boxes = _check_boxes(boxes_xywh)
        centers, scales = box_to_center_scale(
            boxes, input_size=self.input_size, geometry=self.geometry
        )
        keypoints = np.zeros((len(boxes), self.schema.num_keypoints, 2))
        scores = np.zeros(keypoints.shape[:2], np.float32)
        for start in range(0, len(boxes), self.batch_size):
            part = slice(start, start + self.batch_size)
            crops = crop_people(
                image, centers[part], scales[part], self.input_size, self.geometry
            )
            keypoints[part], scores[part] = self.predict_people(
                crops, centers[part], scales[part], flip=flip
            )
        return PoseResult(keypoints, scores)

    def predict_people(
        self,
        crops: np.ndarray,
        centers: np.ndarray,
        scales: np.ndarray,
        *,
        flip: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find keypoints in crops and map them to their images.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the model's input size.
            centers: (N, 2) crop centers in the images, pixels.
            scales: (N, 2) crop sizes in the images, in units of 200 pixels.
            flip: average with the mirrored crops.

        Returns:
            keypoints (N, K, 2) in pixels of the images and scores (N, K).
        """
        keypoints, scores = self.predict_crops(crops, flip=flip)
        return self.geometry.to_image(keypoints, centers, scales), scores

    def predict_crops(
        self, crops: np.ndarray, *, flip: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find keypoints in crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the model's input size.
            flip: average with the mirrored crops.

        Returns:
            keypoints (N, K, 2) as fractions of the crop (x by its width, y by its
            height) and scores (N, K), all 1 for a student that was trained without
            a teacher and so never learned to score.

        Raises:
            ValueError: if the crops do not fit the model.
        """
        keypoints, scores = self.codec.decode(self.predict_outputs(crops, flip=flip))
        return keypoints, scores if self._has_confidence else np.ones_like(scores)

    def predict_outputs(
        self, crops: np.ndarray, *, flip: bool = False
    ) -> dict[str, np.ndarray]:
        """Return what `codec` decodes, such as heatmaps.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the model's input size.
            flip: average with the mirrored crops.

        Returns:
            dict of float32 arrays by output.

        Raises:
            ValueError: if the crops do not fit the model.
        """
        outputs = self._run(crops)
        if not flip:
            return outputs
        mirrored = self._run(crops[:, :, ::-1])
        return self.codec.average_mirrored(outputs, mirrored, self.schema)

    def _run(self, crops):
        shape = (*self.input_size, 3)
        if crops.ndim != 4 or crops.shape[1:] != shape or crops.dtype != np.uint8:
            raise ValueError(
                f"crops must be (N, {', '.join(map(str, shape))}) uint8. "
                f"Received: {crops.shape} {crops.dtype}"
            )
        return self._runtime.run(np.ascontiguousarray(crops))


def _check_boxes(boxes_xywh):
    """Boxes as a float array (N, 4), or a ValueError."""
    boxes = np.asarray(boxes_xywh, np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes_xywh must be (N, 4). Received: {boxes.shape}")
    if not np.isfinite(boxes).all() or (boxes[:, 2:] <= 0).any():
        raise ValueError(
            "boxes_xywh must be finite with positive width and height. "
            f"Received: {boxes.tolist()}"
        )
    return boxes
