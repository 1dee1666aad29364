"""A small student, fake-quantized once for all tests of quantization."""

import numpy as np
import pytest

PATCHES = {"transformer": {"patch_size": (2, 2)}}  # 12 visual tokens


def rough(model, seed=0):
    """Give a fresh model biases and norms that are not zero and one."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            w + rng.uniform(0, 0.2, w.shape).astype(w.dtype) if w.ndim == 1 else w
            for w in model.get_weights()
        ]
    )
    return model


@pytest.fixture(scope="session")
def student():
    import keras

    from tests.models.small import small

    keras.utils.set_random_seed(0)
    return rough(small(**PATCHES))


@pytest.fixture(scope="session")
def teacher():
    from tests.models.small import small

    return rough(small("tokenpose", **PATCHES))


@pytest.fixture(scope="session")
def crops():
    rng = np.random.default_rng(1)
    grid = rng.integers(0, 256, (32, 4, 3, 3))
    return grid.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)


@pytest.fixture(scope="session")
def quantized(student, crops):
    """Not to be trained: `make_quantized` is for that."""
    from distilpose_keras.quantization.student import quantize_aware

    return quantize_aware(student, crops)


@pytest.fixture
def make_quantized(student, crops):
    from distilpose_keras.quantization.student import quantize_aware

    return lambda: quantize_aware(student, crops)


@pytest.fixture
def make_batches():
    """Make two batches of 16 crops; their targets are the same in each epoch."""
    import keras

    class Batches(keras.utils.PyDataset):
        def __init__(self, crops):
            super().__init__()
            self.crops = crops

        def __len__(self):
            return 2

        def __getitem__(self, index):
            rng = np.random.default_rng(index)
            targets = {
                "keypoints": rng.uniform(0.2, 0.8, (16, 17, 2)).astype("float32"),
                "weights": np.ones((16, 17, 1), "float32"),
            }
            return self.crops[16 * index :][:16], targets

    return Batches


@pytest.fixture
def batches(make_batches, crops):
    return make_batches(crops)
