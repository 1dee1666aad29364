"""PosePredictor: keypoints in pixels from an image and person boxes."""

from dataclasses import dataclass

import numpy as np

from distilpose_keras.crops import crop_people
from distilpose_keras.data.codecs import (
    decode_heatmaps,
    decode_regression,
    flip_heatmaps,
    flip_keypoints,
)
from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.formats.runtimes import open_runtime


@dataclass(frozen=True)
class PoseResult:
    """The poses of the people of one image.

    Attributes:
        keypoints: (N, K, 2) float64 x and y in pixels of the image.
        scores: (N, K) float32 confidences of the keypoints.
    """

    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self):
        """Return the number of people, N."""
        return len(self.keypoints)


class PosePredictor:
    """Run a student or a teacher on people in images, whatever its file format.

    Example:
        >>> predictor = PosePredictor("student.tflite")
        >>> result = predictor.predict(image, [[40, 20, 120, 300]])
        >>> result.keypoints.shape
        (1, 17, 2)

    Attributes:
        input_size: (height, width) of a crop.
        schema: the `KeypointSchema` of the K keypoints.
        metadata: what the file says about itself, a dict.
        runtime: ``"keras"``, ``"tflite"`` or ``"onnx"``.
        is_teacher: whether the model returns heatmaps.
    """

    def __init__(self, model, *, batch_size=32, num_threads=None):
        """Open a model.

        Args:
            model: a `PoseModel`, or the path of a ``.keras``, ``.tflite`` or
                ``.onnx`` file of this project.
            batch_size: crops run at once; TFLite files run them one by one.
            num_threads: threads of TFLite or ONNX Runtime; all cores by default.

        Raises:
            ValueError: if the file is missing, truncated, of another kind or not
                ours; one line that names it.
        """
        self._runtime = open_runtime(model, num_threads=num_threads)
        self.batch_size = batch_size
        self.input_size = self._runtime.input_size
        self.schema = self._runtime.schema
        self.metadata = self._runtime.metadata
        self.runtime = self._runtime.name
        # A student trained without a teacher has a score head that nobody taught.
        self._has_confidence = self.metadata.get("confidence", True)
        self.is_teacher = self._runtime.is_teacher

    def predict(self, image, boxes_xywh, *, flip=False):
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
        centers, scales = box_to_center_scale(boxes, input_size=self.input_size)
        keypoints = np.zeros((len(boxes), self.schema.num_keypoints, 2))
        scores = np.zeros(keypoints.shape[:2], np.float32)
        for start in range(0, len(boxes), self.batch_size):
            part = slice(start, start + self.batch_size)
            crops = crop_people(image, centers[part], scales[part], self.input_size)
            keypoints[part], scores[part] = self.predict_people(
                crops, centers[part], scales[part], flip=flip
            )
        return PoseResult(keypoints, scores)

    def predict_people(self, crops, centers, scales, *, flip=False):
        """Find keypoints in crops and map them to their images.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the model's input size.
            centers: (N, 2) crop centers in the images, pixels.
            scales: (N, 2) crop sizes in the images, in units of 200 pixels.
            flip: average with the mirrored crops.

        Returns:
            keypoints (N, K, 2) in pixels of the images and scores (N, K).
        """
        if self.is_teacher:
            heatmaps = self.predict_heatmaps(crops, flip=flip)
            return decode_heatmaps(heatmaps, centers, scales)
        keypoints, scores = self.predict_crops(crops, flip=flip)
        return decode_regression(keypoints, centers, scales), scores

    def predict_crops(self, crops, *, flip=False):
        """Run a student on crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the model's input size.
            flip: average with the mirrored crops.

        Returns:
            keypoints (N, K, 2) as fractions of the crop (x by its width, y by its
            height) and scores (N, K), all 1 for a student that was trained without
            a teacher and so never learned to score.

        Raises:
            ValueError: if the model is a teacher or the crops do not fit it.
        """
        if self.is_teacher:
            raise ValueError(
                "predict_crops needs a student, which regresses keypoints. Received: "
                "a teacher; use predict_heatmaps"
            )
        outputs = self._run(crops)
        keypoints, scores = outputs["keypoints"], outputs["scores"][..., 0]
        if not self._has_confidence:
            scores = np.ones_like(scores)
        if flip:
            mirrored = self._run(crops[:, :, ::-1])
            other = flip_keypoints(mirrored["keypoints"], self.schema)
            other_scores = mirrored["scores"][:, self.schema.flip_permutation, 0]
            keypoints = (keypoints + other) / 2
            if self._has_confidence:
                scores = (scores + other_scores) / 2
        return keypoints, scores

    def predict_heatmaps(self, crops, *, flip=False):
        """Run a teacher on crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB of the model's input size.
            flip: average with the mirrored crops' maps, shifted by a pixel.

        Returns:
            (N, K, h, w) float32 heatmaps.

        Raises:
            ValueError: if the model is a student or the crops do not fit it.
        """
        if not self.is_teacher:
            raise ValueError(
                "predict_heatmaps needs a teacher, which returns heatmaps. Received: "
                "a student; use predict_crops"
            )
        heatmaps = self._run(crops)["heatmaps"]
        if flip:
            mirrored = self._run(crops[:, :, ::-1])["heatmaps"]
            heatmaps = (heatmaps + flip_heatmaps(mirrored, self.schema)) / 2
        return heatmaps

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
