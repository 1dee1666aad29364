"""Parameters and multiply-accumulates, of models by name and of files.

Two figures that are often confused are kept apart:

* `gmacs`: the true multiply-accumulates of a forward pass, the two products of
  attention included.
* `gflops_paper`: what the published papers call GFLOPs, the count of mmcv's
  ``get_model_complexity_info``. It sees PyTorch modules only, so the products of
  attention, which are plain functions, are missing; biases of convolutions, norms (two
  per value), ReLUs, pooling and upsampling (one per value) are added.
"""

import math
from pathlib import Path

from keras import layers, tree

from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.models.presets import FIGURES
from distilpose_keras.profiling.counts import Counts, Profile

# Values per element that mmcv counts for operations that are no products.
ELEMENTWISE = {
    "BatchNormalization": 2,
    "LayerNormalization": 2,
    "Relu": 1,
    "MaxPooling2D": 1,
    "GlobalAveragePooling2D": 1,
    "Resize": 1,
}


def markdown_table(profiles):
    """Return a Markdown table of the figures beside those that the paper prints.

    The paper quotes SimpleBaselines and HRNet from their own papers, whose tools
    counted otherwise.
    """
    lines = [
        "| model | parameters | paper | GMACs | GFLOPs as the paper counts | paper |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for p in profiles:
        facts = FIGURES.get(p.model)
        params, gflops = (
            (facts.paper_params_m, facts.paper_gflops) if facts else (None, None)
        )
        trainable = p.total_params if p.trainable_params is None else p.trainable_params
        lines.append(
            f"| {p.model} | {trainable / 1e6:.2f} M | {f'{params} M' if params else ''}"
            f" | {p.gmacs:.4g} | {p.gflops_paper:.4g} | {gflops or ''} |"
        )
    return "\n".join(lines)


def profile(name_or_path):
    """Profile a model by its name in `MODELS`, or a model file.

    Args:
        name_or_path: a name, or a ``.keras``, ``.tflite`` or ``.onnx`` file.

    Returns:
        A `Profile`.

    Raises:
        ValueError: if the name is unknown or the file is missing or unreadable.
    """
    path = Path(name_or_path)
    if path.suffix == ".keras":
        return profile_model(load_model(path), name=path.name)
    if path.suffix in (".tflite", ".onnx"):
        from distilpose_keras.profiling.files import profile_file

        return profile_file(path)
    return profile_model(build_model(str(name_or_path)))


def profile_model(model, name=None):
    """Profile a functional Keras model, such as a `PoseModel`.

    A deployed graph must have a fixed batch size of 1: with a free one, its matrices
    of tokens have an unknown number of rows.

    Args:
        model: functional model whose outputs are a dict.
        name: what to call it; the model's name by default.
    """
    counts = Counts()
    for operation in model.operations:
        if not isinstance(operation, layers.InputLayer):
            _count(operation, counts)
    return Profile(
        model=name or model.name,
        trainable_params=_size(model.trainable_variables),
        total_params=_size(model.weights),
        gmacs=counts.gmacs,
        gflops_paper=counts.gflops_paper,
        outputs={
            key: [1, *value.shape[1:]] for key, value in sorted(model.output.items())
        },
    )


def _count(operation, counts):
    """Add one operation of a functional graph."""
    kind = type(operation).__name__
    if kind in ("Conv2D", "DepthwiseConv2D"):
        positions = math.prod(operation.output.shape[1:3])
        counts.linear += positions * math.prod(operation.kernel.shape)
        if operation.use_bias:
            counts.elementwise += _elements(operation.output)
    elif kind == "Conv2DTranspose":
        positions = math.prod(operation.input.shape[1:3])
        counts.linear += positions * math.prod(operation.kernel.shape)
    elif kind == "Dense":
        counts.linear += _elements(operation.input) * operation.units
    elif kind == "Matmul":
        left, *_ = tree.flatten(operation.input)  # the right one may be a constant
        counts.attention += _elements(operation.output) * left.shape[-1]
    counted = operation.input if "Pooling" in kind else operation.output
    if kind in ELEMENTWISE:
        counts.elementwise += ELEMENTWISE[kind] * _elements(counted)


def _elements(tensor):
    """Values of a tensor for one image."""
    return math.prod(side or 1 for side in tensor.shape)


def _size(variables):
    """Number of values in all variables."""
    return sum(math.prod(variable.shape) for variable in variables)
