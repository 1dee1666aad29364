"""RTMPose and SimCC: published weights give the published logits and keypoints."""

import keras
import numpy as np
import pytest
import recipe

from distilpose_keras.codecs.simcc import SimCCCodec
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.checkpoints import load_checkpoint
from distilpose_keras.models.families.rtmpose import ScaleNorm
from distilpose_keras.models.model import build_model
from tests.models import reference
from tests.models.deviation import assert_near

OF_PARITY = [
    pytest.param(name, marks=pytest.mark.parity)
    for name in ("rtmpose_s", "rtmpose_m", "simcc_resnet50")
]


@pytest.mark.backend
@pytest.mark.parametrize("name", ["rtmpose_t", *OF_PARITY])
def test_published_weights_give_the_published_keypoints(name):
    described, arrays = reference.published(name)
    model = build_model(name)
    state = {
        key: recipe.fill(key, shape)
        for key, shape, kind in described["state_dict"]
        if kind == "filled"
    }
    state["data_preprocessor.mean"] = np.zeros(3)  # of published files: dropped
    load_checkpoint(model, state)
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == described["trainable_params"]

    images = recipe.images(2, seed=7)
    outputs, mirrored = (
        {k: keras.ops.convert_to_numpy(v) for k, v in model(x, training=False).items()}
        for x in (images, np.ascontiguousarray(images[:, :, ::-1]))
    )
    for ours, theirs in (("x_logits", "pred_x"), ("y_logits", "pred_y")):
        # Float32 noise is 5e-5; a norm's epsilon of 1e-3 errs by 0.1.
        assert_near(outputs[ours], arrays[theirs], ours, 5e-4)
    codec = model.pose_config.codec
    averaged = codec.average_mirrored(outputs, mirrored, COCO_17)
    for found, suffix in ((outputs, ""), (averaged, "_flip_test")):
        keypoints, scores = codec.decode(found)
        stable = arrays[f"stable{suffix}"] > 0
        np.testing.assert_allclose(
            keypoints[stable], arrays[f"keypoints{suffix}"][stable], atol=1e-6
        )
        np.testing.assert_allclose(scores, arrays[f"scores{suffix}"], atol=1e-3)


def test_a_scale_norm_divides_by_the_root_mean_square():
    tokens = np.array([[[3.0, 4.0, 0.0, 0.0], [0.0] * 4]], "float32")
    found = keras.ops.convert_to_numpy(ScaleNorm()(tokens))
    np.testing.assert_allclose(found[0, 0], [1.2, 1.6, 0, 0], rtol=1e-6)  # by 2.5
    np.testing.assert_array_equal(found[0, 1], 0)


@pytest.mark.backend
def test_logits_can_teach_as_heatmaps_do():
    model = build_model("rtmpose_t")
    shown = model.pose_config.shown(
        {
            "x_logits": np.eye(384)[None, None, 100],
            "y_logits": np.eye(512)[None, None, 40],
        }
    )
    maps = keras.ops.convert_to_numpy(shown["heatmaps"])
    assert maps.shape == (1, 1, 64, 48)
    # Bin 100 of 384 is pixel 12.5 of 48, bin 40 of 512 pixel 5 of 64.
    row, column = np.unravel_index(maps[0, 0].argmax(), (64, 48))
    assert row == 5 and column in (12, 13)


def test_a_codec_of_logits_survives_its_configuration():
    codec = SimCCCodec((64, 48))
    config = keras.saving.serialize_keras_object(codec)
    assert keras.saving.deserialize_keras_object(config) == codec
