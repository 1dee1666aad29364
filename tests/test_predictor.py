"""PosePredictor: from runtime outputs to pixels, against the published decoders."""

import numpy as np
import pytest

from distilpose_keras import predictor as predictor_module
from distilpose_keras.codecs.coordinates import CoordinateCodec
from distilpose_keras.codecs.heatmaps import HeatmapCodec
from distilpose_keras.data.transforms import warp
from distilpose_keras.geometry import ALIGNED, PLAIN
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.predictor import PosePredictor, PoseResult

SIZE = (64, 48)


class StandIn:
    """A runtime that answers with what the test says."""

    name = "stand-in"
    input_size = SIZE
    geometry = PLAIN
    schema = COCO_17
    metadata = {"model": "stand-in"}

    def __init__(self, answer, codec):
        self.answer = answer
        self.codec = codec
        self.sizes = []

    def run(self, crops):
        self.sizes.append(len(crops))
        return self.answer(crops)


@pytest.fixture
def predictor(monkeypatch):
    """Make a predictor of an answer."""

    def make(answer, *, codec=None, batch_size=32, **options):
        runtime = StandIn(answer, codec or CoordinateCodec())
        monkeypatch.setattr(predictor_module, "open_runtime", lambda *a, **k: runtime)
        return PosePredictor("any", batch_size=batch_size, **options)

    return make


def crops(count):
    """Crops whose left and right halves differ."""
    pixels = np.zeros((count, *SIZE, 3), np.uint8)
    pixels[:, :, : SIZE[1] // 2] = 200
    return pixels


def is_mirrored(pixels):
    return pixels[0, 0, 0, 0] == 0


def constant_student(pixels):
    """Keypoints at a quarter of the crop, whatever it shows."""
    count = len(pixels)
    return {
        "keypoints": np.full((count, 17, 2), 0.25, np.float32),
        "scores": np.full((count, 17, 1), 0.5, np.float32),
    }


def test_regressed_keypoints_map_to_the_image_as_published(parity, predictor):
    reference = parity("decode")
    regression = reference["regression"]
    scores = np.linspace(0, 1, 6 * 17, dtype=np.float32).reshape(6, 17, 1)
    model = predictor(lambda _: {"keypoints": regression, "scores": scores})
    keypoints, found = model.predict_people(
        crops(6), reference["center"], reference["scale"]
    )
    np.testing.assert_allclose(keypoints, reference["regression_xy"], atol=1e-2)
    np.testing.assert_array_equal(found, scores[..., 0])


@pytest.mark.parametrize(
    ("options", "expected"), [({}, "default_xy"), ({"dark": True}, "unbiased_xy")]
)
def test_heatmaps_are_decoded_as_published(parity, predictor, options, expected):
    reference = parity("decode")
    maps = {"heatmaps": reference["heatmaps"]}
    model = predictor(lambda _: maps, codec=HeatmapCodec((64, 48)), **options)
    keypoints, scores = model.predict_people(
        crops(6), reference["center"], reference["scale"]
    )
    np.testing.assert_allclose(keypoints, reference[expected], atol=1e-2)
    np.testing.assert_allclose(scores, reference["default_score"][..., 0])


def test_dark_is_refused_where_there_are_no_heatmaps(predictor):
    with pytest.raises(ValueError, match="DARK refines the peaks of heatmaps"):
        predictor(constant_student, dark=True)


def test_flip_averages_a_student_with_its_mirror_image(predictor):
    left, right = COCO_17.flip_pairs[0]

    def answer(pixels):
        outputs = constant_student(pixels)
        # Seen in the mirror: the left eye is found where the right one was.
        shown = right if is_mirrored(pixels) else left
        outputs["keypoints"][:, shown] = (
            (0.7, 0.3) if is_mirrored(pixels) else (0.4, 0.1)
        )
        outputs["scores"][:, shown] = 0.9 if is_mirrored(pixels) else 0.7
        return outputs

    keypoints, scores = predictor(answer).predict_crops(crops(2), flip=True)
    # (0.4, 0.1) and the mirrored (1 - 0.7, 0.3).
    np.testing.assert_allclose(keypoints[:, left], [[0.35, 0.2]] * 2, rtol=1e-6)
    np.testing.assert_allclose(scores[:, left], 0.8, rtol=1e-6)
    np.testing.assert_allclose(keypoints[:, right], [[0.5, 0.25]] * 2, rtol=1e-6)


def test_flip_averages_a_teacher_with_its_shifted_mirror_image(parity, predictor):
    reference = parity("decode")
    plain = reference["heatmaps"][:1]
    shifted = reference["heatmaps_flipped_shifted"]  # of the same maps, as published

    def answer(_):
        return {"heatmaps": plain}

    model = predictor(answer, codec=HeatmapCodec((64, 48)))
    heatmaps = model.predict_outputs(crops(1), flip=True)["heatmaps"]
    np.testing.assert_allclose(heatmaps, (plain + shifted) / 2, atol=1e-6)


def test_people_of_an_image_are_cropped_where_their_boxes_are(predictor):
    # The answer is where the crop is brightest.
    def brightest(pixels):
        flat = pixels[..., 0].reshape(len(pixels), -1).argmax(axis=1)
        rows, columns = np.divmod(flat, SIZE[1])
        point = np.stack([columns / SIZE[1], rows / SIZE[0]], axis=-1)
        outputs = constant_student(pixels)
        outputs["keypoints"][:] = point[:, None]
        return outputs

    image = np.zeros((240, 320, 3), np.uint8)
    image[98:103, 58:63] = image[148:153, 248:253] = 255
    boxes = [[40, 60, 45, 60], [220, 120, 45, 60]]
    result = predictor(brightest).predict(image, boxes)
    np.testing.assert_allclose(result.keypoints[0, 0], [60, 100], atol=2.5)
    np.testing.assert_allclose(result.keypoints[1, 0], [250, 150], atol=2.5)
    assert result.scores.shape == (2, 17)


def test_many_people_are_run_in_batches(predictor):
    model = predictor(constant_student, batch_size=4)
    image = np.zeros((240, 320, 3), np.uint8)
    boxes = np.tile([10.0, 10, 60, 80], (10, 1)) + np.arange(10)[:, None]
    result = model.predict(image, boxes)
    assert model._runtime.sizes == [4, 4, 2]
    one = model.predict(image, boxes[7:8])
    np.testing.assert_array_equal(one.keypoints[0], result.keypoints[7])


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4))])
def test_a_picture_with_nobody_in_it_has_no_poses(predictor, boxes):
    result = predictor(constant_student).predict(np.zeros((9, 9, 3), np.uint8), boxes)
    assert len(result) == 0
    assert result.keypoints.shape == (0, 17, 2)
    assert result.scores.shape == (0, 17)


@pytest.mark.parametrize(
    ("boxes", "complaint"),
    [
        ([1, 2, 3, 4], r"must be \(N, 4\). Received: \(4,\)"),
        ([[1, 2, 3]], r"must be \(N, 4\). Received: \(1, 3\)"),
        ([[1, 2, 0, 4]], "positive width and height"),
        ([[1, 2, np.nan, 4]], "must be finite"),
    ],
)
def test_unfit_boxes_are_refused(predictor, boxes, complaint):
    with pytest.raises(ValueError, match=complaint):
        predictor(constant_student).predict(np.zeros((9, 9, 3), np.uint8), boxes)


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32)]
)
def test_an_image_that_is_not_uint8_rgb_is_refused(predictor, image):
    with pytest.raises(ValueError, match="uint8 RGB. Received"):
        predictor(constant_student).predict(image, [[0, 0, 5, 5]])


def test_crops_of_another_size_are_refused(predictor):
    with pytest.raises(ValueError, match=r"\(N, 64, 48, 3\) uint8. Received"):
        predictor(constant_student).predict_crops(np.zeros((1, 32, 24, 3), np.uint8))


@pytest.mark.parametrize("flip", [False, True])
def test_scores_that_nobody_trained_count_as_certain(predictor, monkeypatch, flip):
    described = {"model": "stand-in", "confidence": False}
    monkeypatch.setattr(StandIn, "metadata", described)
    keypoints, scores = predictor(constant_student).predict_crops(crops(2), flip=flip)
    np.testing.assert_array_equal(scores, np.ones((2, 17)))
    assert keypoints.shape == (2, 17, 2)


def test_crops_and_keypoints_follow_the_geometry_of_the_model(predictor, monkeypatch):
    monkeypatch.setattr(StandIn, "geometry", ALIGNED)
    seen = []
    model = predictor(lambda pixels: seen.append(pixels) or constant_student(pixels))
    image = np.random.default_rng(0).integers(0, 255, (120, 90, 3), np.uint8)
    found = model.predict(image, [[10, 20, 31, 81]])
    # 81 high, so 81 * 3 / 4 wide, 1.25 times as large; center (10 + 15, 20 + 40).
    width = 1.25 * 81 * 3 / 4 - 1
    quarter = [25 - width / 4, 60 - width * 4 / 3 / 4]
    np.testing.assert_allclose(found.keypoints[0, 0], quarter, atol=1e-4)
    zoom = 47 / width
    matrix = [[zoom, 0, 23.5 - zoom * 25], [0, zoom, 31.5 - zoom * 60]]
    crop = warp(image, np.array(matrix), SIZE)
    assert np.abs(seen[0][0].astype(int) - crop).max() <= 1


POSES = PoseResult(
    np.array([[[1.0, 2.0], [3.5, 4.25]]]), np.array([[0.5, 1.0]], np.float32)
)


def test_poses_go_to_coco_results_and_back():
    (entry,) = POSES.to_coco(12)
    assert entry == {
        "image_id": 12,
        "category_id": 1,
        "keypoints": [1.0, 2.0, 0.5, 3.5, 4.25, 1.0],
        "score": 0.75,
    }
    back = PoseResult.from_coco([entry])
    np.testing.assert_array_equal(back.keypoints, POSES.keypoints)
    np.testing.assert_array_equal(back.scores, POSES.scores)
    assert len(PoseResult.from_coco([])) == 0


def test_results_of_two_pictures_are_refused():
    entries = [*POSES.to_coco(1), *POSES.to_coco(2)]
    with pytest.raises(ValueError, match=r"of one picture.*pictures \['1', '2'\]"):
        PoseResult.from_coco(entries)


def test_poses_go_to_supervision():
    supervision = pytest.importorskip("supervision")
    found = POSES.to_supervision()
    assert isinstance(found, supervision.KeyPoints)
    np.testing.assert_array_equal(found.xy, POSES.keypoints)
    np.testing.assert_array_equal(found.keypoint_confidence, POSES.scores)
    image = np.zeros((20, 20, 3), np.uint8)
    drawn = supervision.VertexAnnotator(radius=1).annotate(image.copy(), found)
    assert drawn[2, 1].any()
