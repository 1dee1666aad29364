"""The distillation of ViTPose against references computed from its definition."""

import keras
import numpy as np
import pytest
import recipe
from keras import ops

from distilpose_keras.losses import vitpose
from distilpose_keras.losses.distilpose import heatmap_loss


@pytest.fixture(scope="module")
def reference(parity):
    return parity("families/vitpose/losses")


def load(reference):
    """Student, teacher, targets (B, K, H, W) and weights (B, K, 1)."""
    maps = [reference[f"some_hidden/in_{k}"] for k in ("student", "teacher", "target")]
    return *maps, reference["some_hidden/in_weight"][..., None]


@pytest.mark.backend
def test_terms_equal_the_reference(reference):
    terms = vitpose.vitpose_terms(*load(reference))
    for term, value in terms.items():
        expected = float(reference[f"some_hidden/loss_{term}"])
        assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backend
def test_gradient_equals_the_reference(reference, value_and_gradients):
    student, teacher, *rest = load(reference)

    def total(tensors):
        terms = vitpose.vitpose_terms(tensors["student"], tensors["teacher"], *rest)
        return sum(terms.values())

    arrays = {"student": student, "teacher": teacher}
    value, gradients = value_and_gradients(total, arrays)
    assert value == pytest.approx(float(reference["some_hidden/loss_total"]), rel=1e-5)
    expected = reference["some_hidden/grad_student"]
    np.testing.assert_allclose(
        gradients["student"][..., ::2, ::2],
        expected,
        rtol=1e-5,
        atol=1e-5 * np.abs(expected).max(),
    )
    assert gradients["teacher"] is None or not np.any(gradients["teacher"])


def test_knowledge_token_comes_last_in_every_sample():
    tokens = np.zeros((3, 4, 2), "float32")
    token = np.array([[[1.0, 2.0]]], "float32")
    joined = keras.ops.convert_to_numpy(vitpose.with_knowledge_token(tokens, token))
    np.testing.assert_array_equal(joined[:, :4], tokens)
    np.testing.assert_array_equal(joined[:, 4], [[1, 2]] * 3)


DIM, DEPTH, HEADS = 384, 12, 12  # vitpose_s


def fill(key, shape):
    """A published parameter; kernels of convolutions as Keras has them."""
    array = recipe.fill(key, shape)
    if len(shape) == 4:
        array = array.transpose(2, 3, 1, 0)
    return ops.convert_to_tensor(array)


def linear(x, key, outputs):
    weight = fill(f"{key}.weight", (outputs, x.shape[-1]))
    return ops.matmul(x, ops.transpose(weight)) + fill(f"{key}.bias", (outputs,))


def norm(x, key):
    scale = fill(f"{key}.weight", (DIM,))
    x = x - ops.mean(x, axis=-1, keepdims=True)
    x = x / ops.sqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-6)
    return x * scale + fill(f"{key}.bias", (DIM,))


def block(x, key):
    qkv = linear(norm(x, f"{key}.norm1"), f"{key}.attn.qkv", 3 * DIM)
    qkv = ops.reshape(qkv, (2, -1, 3, HEADS, DIM // HEADS))
    q, k, v = (ops.transpose(qkv[:, :, i], (0, 2, 1, 3)) for i in range(3))
    logits = ops.matmul(q, ops.swapaxes(k, -1, -2)) * (DIM // HEADS) ** -0.5
    seen = ops.matmul(ops.softmax(logits), v)
    seen = ops.reshape(ops.transpose(seen, (0, 2, 1, 3)), (2, -1, DIM))
    x = x + linear(seen, f"{key}.attn.proj", DIM)
    hidden = linear(norm(x, f"{key}.norm2"), f"{key}.mlp.fc1", 4 * DIM)
    return x + linear(ops.gelu(hidden, approximate=False), f"{key}.mlp.fc2", DIM)


def visual_tokens(images):
    kernel = fill("backbone.patch_embed.proj.weight", (DIM, 3, 16, 16))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    patches = ops.conv(images, kernel, strides=16)
    tokens = ops.reshape(patches, (2, 192, DIM))
    tokens = tokens + fill("backbone.patch_embed.proj.bias", (DIM,))
    positions = fill("backbone.pos_embed", (1, 193, DIM))
    return tokens + positions[:, 1:] + positions[:, :1]


def head(tokens):
    x = ops.reshape(tokens, (2, 16, 12, DIM))
    for conv, bn in ((0, 1), (3, 4)):
        key = f"keypoint_head.deconv_layers.{conv}.weight"
        kernel = fill(key, (x.shape[-1], 256, 4, 4))
        x = ops.conv_transpose(x, kernel, strides=2, padding="same")
        scale, shift, mean, variance = (
            fill(f"keypoint_head.deconv_layers.{bn}.{name}", (256,))
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        x = ops.relu((x - mean) / ops.sqrt(variance + 1e-5) * scale + shift)
    weight = fill("keypoint_head.final_layer.weight", (17, 256, 1, 1))
    x = ops.matmul(x, weight[0, 0])
    x = x + fill("keypoint_head.final_layer.bias", (17,))
    return ops.transpose(x, (0, 3, 1, 2))


@pytest.mark.backend
def test_knowledge_token_of_a_frozen_teacher_gets_the_reference_gradient(
    reference, value_and_gradients
):
    images = recipe.images(2, seed=7)
    target = reference["knowledge_token/target"].astype("float32")
    weights = reference["knowledge_token/weight"][..., None]

    def heatmaps(token):
        x = vitpose.with_knowledge_token(visual_tokens(images), token)
        for i in range(DEPTH):
            x = block(x, f"backbone.blocks.{i}")
        return head(norm(x, "backbone.last_norm")[:, :-1])

    def loss(tensors):
        return heatmap_loss(heatmaps(tensors["token"]), target, weights)

    token = recipe.fill("knowledge_token", (1, 1, DIM))
    maps = ops.convert_to_numpy(heatmaps(token))[:1, :, ::4, ::4]
    expected = reference["knowledge_token/heatmaps"]
    np.testing.assert_allclose(maps, expected, atol=5e-4 * expected.std())
    value, gradients = value_and_gradients(loss, {"token": token}, compiled=False)
    loss_of_reference = float(reference["knowledge_token/loss"])
    assert value == pytest.approx(loss_of_reference, rel=1e-4)
    expected = reference["knowledge_token/grad_token"]
    # Float32 moves it by 2e-3 of the largest, through twelve sharp attentions.
    np.testing.assert_allclose(
        gradients["token"], expected, atol=5e-3 * np.abs(expected).max()
    )
