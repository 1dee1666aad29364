"""Makes our classes known to Keras as soon as there is Keras, and no earlier.

`keras.saving.load_model` finds only classes that are imported. To import them with the
package would import Keras and its backend for everybody: for `distilpose --help`, for
data workers, for programs that run an exported file.
"""

import importlib.abc
import importlib.util
import sys
from importlib import import_module

# What files hold; each registers its classes when it is imported.
MODULES = (
    "distilpose_keras.models.model",
    "distilpose_keras.models.finder",
    "distilpose_keras.distillation.distiller",
    "distilpose_keras.quantization.student",
)


def register_with_keras() -> None:
    """Import our classes now, or right after somebody imports Keras."""
    if "keras" in sys.modules:
        for module in MODULES:
            import_module(module)
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds nothing itself; watches for the import of Keras.

    Where one of our own modules imports Keras, it is not whole yet, and what others
    import of it would be missing: then the next import that finds all of them whole
    is the right moment.
    """

    def __init__(self):
        self._waiting = False

    def find_spec(self, name, path=None, target=None):
        if self._waiting:
            self._import_when_whole()
        elif name == "keras":
            return self._followed(name)
        return None

    def _followed(self, name):
        """The spec of Keras, whose execution ours follows."""
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self._waiting = True
            self._import_when_whole()

        spec.loader.exec_module = exec_module
        return spec

    def _import_when_whole(self):
        if self in sys.meta_path and not any(map(_is_being_imported, _our_modules())):
            sys.meta_path.remove(self)
            register_with_keras()


def _our_modules():
    return [m for n, m in list(sys.modules.items()) if n.startswith("distilpose_keras")]


def _is_being_imported(module):
    return getattr(getattr(module, "__spec__", None), "_initializing", False)
