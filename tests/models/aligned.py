"""Full-size parity of models that are shown crops of the geometry "aligned"."""

import keras
import numpy as np
import recipe

from distilpose_keras.geometry import ALIGNED
from distilpose_keras.keypoints import COCO_17
from distilpose_keras.models.checkpoints import load_checkpoint
from distilpose_keras.models.model import build_model
from tests.models import reference
from tests.models.deviation import assert_near

# Of an array's standard deviation; float32 noise is 5e-5.
TOLERANCE = 5e-4
FLIPPED = {"": "pred", "_flip": "pred_flip"}


def check_published(name, *, extra=()):
    """Fill a model with the published keys and compare all it says with the reference.

    Args:
        name: of a model in `MODELS`.
        extra: pairs of an output and the reference's array of its first image.
    """
    described, arrays = reference.published(name)
    size = described["input_size"]
    model = build_model(name)
    state = {
        key: recipe.fill(key, shape)
        for key, shape, kind in described["state_dict"]
        if kind == "filled"
    }
    load_checkpoint(model, state)
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == described["trainable_params"]

    images = recipe.images(2, seed=7, height=size[0], width=size[1])
    outputs, mirrored = (
        {k: keras.ops.convert_to_numpy(v) for k, v in model(x, training=False).items()}
        for x in (images, np.ascontiguousarray(images[:, :, ::-1]))
    )
    for ours, theirs in extra:
        assert_near(outputs[ours][:1], arrays[theirs], theirs, TOLERANCE)
    codec = model.pose_config.codec
    averaged = codec.average_mirrored(outputs, mirrored, COCO_17)
    for found, suffix in ((outputs, ""), (averaged, "_flip")):
        expected = arrays[FLIPPED[suffix]]  # every pixel, every second, every fourth
        step = found["heatmaps"].shape[-1] // expected.shape[-1]
        maps = found["heatmaps"][: len(expected), :, ::step, ::step]
        assert_near(maps, expected, FLIPPED[suffix], TOLERANCE)
        keypoints, scores = codec.decode(found)
        score = f"score{suffix}"
        assert_near(scores[..., None], arrays[score], score, TOLERANCE)
        stable = arrays[f"stable{suffix}"]
        assert stable.mean() > 0.5
        # The reference divides pixels of the crop by its size.
        in_crop = ALIGNED.denormalize(keypoints, size)
        published = arrays[f"keypoints{suffix}"] * size[::-1]
        # In pixels of the crop, a fourth of the heatmaps'. Random maps are flat about
        # their peaks: DARK's Newton step makes 0.05 px of noise of 1e-4 for a few.
        distances = np.abs(in_crop - published)[stable]
        assert np.median(distances) < 2e-3, suffix
        assert distances.max() < 0.08, suffix
