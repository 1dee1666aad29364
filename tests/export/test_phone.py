"""The phone's path: `export/phone.py`, and the numbers that README.md shows of it."""

import re

import numpy as np
import pytest

from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.geometry import PLAIN
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.predictor import PosePredictor

BOX = (212, 60, 180, 360)


@pytest.fixture(scope="module")
def phone(script):
    return script("export/phone.py")


@pytest.fixture(scope="module")
def frame():
    grid = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return grid.repeat(40, axis=0).repeat(40, axis=1)  # 480 x 640


@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite", "int8-full.tflite"])
@pytest.mark.parametrize("box", [BOX, (300, 100, 250, 90), (-20, 300, 100, 200)])
def test_the_phone_finds_what_the_predictor_finds(name, box, phone, frame, exported):
    path = str(exported(name))
    names, keypoints, scores = phone.find_pose(path, frame, box)
    expected = PosePredictor(path).predict(frame, [box])
    assert tuple(names) == COCO_17.names
    np.testing.assert_allclose(keypoints, expected.keypoints[0], atol=0.01)
    np.testing.assert_allclose(scores, expected.scores[0], atol=1e-4)


def test_the_crop_is_that_of_the_library(phone):
    center, scale = box_to_center_scale(BOX)
    crop = phone.fit_crop(BOX, 256, 192)
    np.testing.assert_allclose(crop, [*center, *(200 * scale)])
    scale, shift_x, shift_y = phone.frame_to_crop(crop, 256, 192)
    matrix = PLAIN.affine_matrix(*box_to_center_scale(BOX), output_size=(256, 192))
    np.testing.assert_allclose(
        matrix, [[scale, 0, shift_x], [0, scale, shift_y]], atol=1e-5
    )


def test_the_readme_shows_the_numbers_of_this_file(phone, root):
    text = (root / "export" / "README.md").read_text()

    def numbers(pattern):
        found = re.search(pattern, text)
        assert found, pattern
        return [float(n) for n in re.findall(r"-?\d+\.?\d*", found[1])]

    box = "left {}, top {}, width {}, height {}".format(*BOX)
    assert box in text
    crop = phone.fit_crop(BOX, 256, 192)
    assert numbers(r"\| center \|(.*)\|") == [*crop[:2]]
    assert numbers(r"\| width, height \|(.*)\|") == [*crop[2:]]
    scale, *shift = phone.frame_to_crop(crop, 256, 192)
    assert numbers(r"\| scale \|(.*)\|") == pytest.approx([scale], abs=1e-6)
    assert numbers(r"\| shift x, shift y \|(.*)\|") == pytest.approx(shift, abs=1e-6)
    for keypoint in ((0.5, 0.25), (0.1, 0.9)):
        shown = re.escape(f"{keypoint}")
        assert numbers(rf"{shown} (?:lies )?at (\([^)]*\))") == pytest.approx(
            phone.crop_to_frame(keypoint, crop)
        )


def test_the_runtime_of_the_readme_returns_outputs_in_that_order(exported):
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(str(exported("float32.tflite")))
    signature = model.get_signature_by_index(0)
    assert signature["outputs"] == ["keypoints", "scores"]


def test_the_readme_shows_the_tensors_of_the_files(root, exported):
    from ai_edge_litert.interpreter import Interpreter

    text = (root / "export" / "README.md").read_text()
    for name, kind in (("float32.tflite", np.float32), ("int8-full.tflite", np.int8)):
        interpreter = Interpreter(str(exported(name)))
        image = interpreter.get_input_details()[0]
        outputs = interpreter.get_output_details()
        assert f"| input | `{image['name']}` |" in text
        for i, output in enumerate(outputs):
            assert f"| output {i} | `{output['name']}` |" in text
        assert {t["dtype"] for t in (image, *outputs)} == {kind}
