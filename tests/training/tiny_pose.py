"""A student, a teacher and a data set small enough to train in any test or script."""

import keras
import numpy as np
from keras import layers, ops

HEIGHT, WIDTH, KEYPOINTS, TOKEN_DIM = 32, 24, 5, 8
HEATMAP_SIZE = (HEIGHT // 4, WIDTH // 4)


def _features(images, name):
    x = layers.Conv2D(
        8, 4, strides=4, padding="same", use_bias=False, name=f"{name}_conv"
    )(images)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("gelu", name=f"{name}_gelu")(x)


def _tokens(features, keypoints, name):
    visual = layers.Dense(TOKEN_DIM, name=f"{name}_embed")(features)
    visual = layers.Reshape((-1, TOKEN_DIM), name=f"{name}_visual")(visual)
    pooled = layers.GlobalAveragePooling1D(name=f"{name}_pool")(visual)
    queries = layers.Dense(keypoints * TOKEN_DIM, name=f"{name}_queries")(pooled)
    shape = (keypoints, TOKEN_DIM)
    return layers.Reshape(shape, name=f"{name}_keypoint")(queries), visual


def student(keypoints=KEYPOINTS, size=(HEIGHT, WIDTH), name="student"):
    """Return a token student."""
    images = keras.Input((*size, 3), name="image")
    tokens, visual = _tokens(_features(images, name), keypoints, name)
    values = layers.Dense(5, name=f"{name}_head")(tokens)
    outputs = {
        "keypoints": ops.sigmoid(values[..., :2]),
        "scores": values[..., 2:3],
        "sigmas": ops.softplus(values[..., 3:]),
        "keypoint_tokens": tokens,
        "visual_tokens": visual,
    }
    return keras.Model(images, outputs, name=name)


def teacher(keypoints=KEYPOINTS, size=(HEIGHT, WIDTH), name="teacher"):
    """Return a token teacher."""
    images = keras.Input((*size, 3), name="image")
    features = _features(images, name)
    tokens, visual = _tokens(features, keypoints, name)
    maps = layers.Conv2D(keypoints, 1, name=f"{name}_maps")(features)
    outputs = {
        "heatmaps": ops.transpose(maps, (0, 3, 1, 2)),
        "keypoint_tokens": tokens,
        "visual_tokens": visual,
    }
    return keras.Model(images, outputs, name=name)


def fill(model, seed=0):
    """Give a model the same weights on every backend."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        values = 0.3 * rng.standard_normal(variable.shape)
        name = variable.path.split("/")[-1]
        if name in ("gamma", "moving_variance"):
            values = 1 + np.abs(values)
        variable.assign(values.astype("float32"))
    return model


def batch(samples, seed=0, dtype="uint8"):
    """Return (images, targets) of noise."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (samples, HEIGHT, WIDTH, 3)).astype("uint8")
    if dtype == "float32":
        images = (images / 64 - 2).astype("float32")
    weights = (rng.random((samples, KEYPOINTS, 1)) > 0.2).astype("float32")
    keypoints = rng.random((samples, KEYPOINTS, 2)).astype("float32")
    return images, {"keypoints": keypoints, "weights": weights}


class Dataset(keras.utils.PyDataset):
    """Noise that depends on the seed, the epoch and the index alone."""

    def __init__(self, samples=20, batch_size=4, seed=0, dtype="uint8", **kwargs):
        super().__init__(**kwargs)
        self.samples, self.batch_size = samples, batch_size
        self.seed, self.dtype = seed, dtype
        self.epoch = 0

    def __len__(self):
        return -(-self.samples // self.batch_size)

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        left = self.samples - index * self.batch_size
        seed = (self.seed * 1000 + self.epoch) * 1000 + index
        return batch(min(self.batch_size, left), seed, self.dtype)


def pooled_model(size):
    """A compiled model of one linear map, for `fit` on batches of people."""
    images = keras.Input((*size, 3))
    x = keras.layers.AveragePooling2D(16)(images)
    x = keras.layers.Dense(34)(keras.layers.Flatten()(x))
    keypoints = keras.layers.Reshape((17, 2), name="keypoints")(x)
    model = keras.Model(images, {"keypoints": keypoints, "weights": keypoints[..., :1]})
    model.compile("sgd", loss={"keypoints": "mse", "weights": "mse"})
    return model


class Interrupt(keras.callbacks.Callback):
    """Raises after some batches of all epochs together."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if not self.batches:
            raise KeyboardInterrupt
