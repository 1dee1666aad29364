"""What signatures call the things that have no type of their own.

Types say of what kind a value is; shapes and units stand in the docstrings.
"""

import os
from typing import Any, TypeAlias

# Keras has no type for what its operations take and return: a tensor of TensorFlow,
# JAX or PyTorch, a `keras.KerasTensor` while a graph is built, a NumPy array.
Tensor: TypeAlias = Any

FilePath: TypeAlias = str | os.PathLike[str]

# (height, width) in pixels.
Size: TypeAlias = tuple[int, int]

# What JSON holds; its values are of many kinds.
Json: TypeAlias = dict[str, Any]
