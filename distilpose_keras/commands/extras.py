"""What to install where a package that a command needs is missing."""

import importlib.util
import sys

BACKENDS = ("tensorflow", "jax", "torch")
# What the extra `export` brings. Where other extras are needed their users say so.
EXPORT = ("tensorflow", "tf2onnx", "onnx", "ai_edge_litert", "ai_edge_quantizer")


def how_to_install(module):
    """Return what to do about a missing module, in one line; None if it is not known.

    Args:
        module: its name, as a `ModuleNotFoundError` has it.
    """
    package = (module or "").split(".")[0]
    # Keras that lacks its backend is not imported to the end.
    has_backend = hasattr(sys.modules.get("keras"), "Model")
    if package in BACKENDS and not has_backend:
        others = [name for name in BACKENDS if importlib.util.find_spec(name)]
        if others:
            return (
                f"Keras asks for {package}, which is not installed: set the "
                f"environment variable KERAS_BACKEND={others[0]}, which is"
            )
        return (
            "this needs a backend of Keras: "
            'pip install "distilpose-keras[tensorflow]", or [jax], or [torch]'
        )
    if package in EXPORT:
        return f'this needs {package}: pip install "distilpose-keras[export]"'
    return None
