"""What a data worker answers, byte by byte."""

import io
import os
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest

from distilpose_keras.data.samples import SampleLoader
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.data.worker import serve
from distilpose_keras.keypoints import COCO_17

from .conftest import SIZE, whole_picture


def answers(requests):
    """Ask a worker in this process; return what it sends."""
    loader = SampleLoader(COCO_17, SIZE, Augmentation.none(), 0, 1 << 20)
    receive, send = io.BytesIO(), io.BytesIO()
    pickle.dump(loader, receive)
    for request in requests:
        pickle.dump((request, 0), receive)
    receive.seek(0)
    with pytest.raises(EOFError):  # the parent is gone
        serve(receive, send)
    send.seek(0)
    return send


def test_a_sample_is_an_image_its_keypoints_and_its_weights(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    paths = [str(tmp_path / name) for name in ("a.png", "missing.png", "a.png")]
    sent = answers([whole_picture(paths)])
    errors = pickle.load(sent)
    assert list(errors) == [1] and "missing.png" in errors[1]
    for n in range(3):
        image = np.frombuffer(sent.read(picture.size), np.uint8)
        keypoints = np.frombuffer(sent.read(17 * 2 * 4), np.float32)
        weights = np.frombuffer(sent.read(17 * 4), np.float32)
        if n != 1:
            np.testing.assert_array_equal(image.reshape(picture.shape), picture)
            # Joint k lies on pixel (k, 2 k).
            found = keypoints.reshape(17, 2) * (SIZE[1], SIZE[0])
            np.testing.assert_allclose(
                found, [(k, 2 * k) for k in range(17)], atol=1e-5
            )
            np.testing.assert_array_equal(weights, 1)
    assert not sent.read()


def test_an_error_is_sent_and_the_next_request_answered(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((*SIZE, 3), np.uint8))
    good = whole_picture([str(tmp_path / "a.png")])
    bad = good._replace(boxes_xywh=np.zeros((1, 3)))
    sent = answers([bad, good])
    with pytest.raises(ValueError, match=r"boxes_xywh must be .* Received: \(3,\)"):
        raise pickle.load(sent)
    assert pickle.load(sent) == {}


def test_workers_import_no_backend(root):
    check = (
        "import sys, distilpose_keras.data.worker; "
        "print(*{'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", check],
        env=dict(os.environ, PYTHONPATH=str(root)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == ""
