"""Fixtures shared by all tests; quiet, reproducible backends."""

import importlib.util
import os

# Before any backend is imported: TensorFlow's start-up chatter hides real warnings.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A process per core is enough: threads of each would wait for those of the others.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.models import deviation

ROOT = Path(__file__).resolve().parents[1]
PARITY = ROOT / "tests" / "data" / "parity"
# Real COCO pictures may not be redistributed: they are looked for beside the checkout.
COCO_TINY = Path(
    os.environ.get(
        "DISTILPOSE_COCO_TINY", ROOT.parent / "shared" / "data" / "coco_tiny"
    )
)

sys.path.insert(0, str(PARITY))  # `import recipe`: weights and inputs of the references
sys.path.insert(0, str(ROOT / "tests" / "training"))  # `import tiny_pose`


def pytest_collection_modifyitems(config, items):
    """Leave the parity of every model to who asks for it: it takes an hour."""
    if "parity" in (config.getoption("-m") or ""):
        return
    asked = pytest.mark.skip(reason="full-size parity of all models: -m parity")
    for item in items:
        if item.get_closest_marker("parity"):
            item.add_marker(asked)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Keep with a test's report how far its predictions were from published ones."""
    deviation.worst.clear()
    try:
        return (yield)
    finally:
        if deviation.worst:
            item.user_properties.append(("deviations", dict(deviation.worst)))


def pytest_terminal_summary(terminalreporter, config):
    """Say the worst deviation of each model that was compared at full size."""
    if "parity" not in (config.getoption("-m") or ""):
        return
    terminalreporter.section("worst deviations, of the published arrays' own")
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            found = dict(report.user_properties).get("deviations")
            if found and report.when == "call":
                name, (error, _) = max(found.items(), key=lambda item: item[1][0])
                model = report.nodeid.split("[")[-1].rstrip("]")
                terminalreporter.line(f"{model:32} {error:.1e}  {name}")


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def script(root):
    """Load a script of the checkout as a module: ``script("tools/predict.py")``."""

    def load(path):
        path = root / path
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def parity():
    """Load a parity reference by name: ``parity("geometry")["center"]``."""

    def load(name):
        with np.load(PARITY / f"{name}.npz") as arrays:
            return dict(arrays)

    return load


@pytest.fixture(scope="session")
def coco_tiny():
    """Folder of 64 real COCO pictures, or a skip where it is absent."""
    if not COCO_TINY.is_dir():
        pytest.skip(f"real COCO pictures are not at {COCO_TINY}")
    return COCO_TINY


def rough(model, seed=0):
    """Give a fresh model biases and norms that are not zero and one."""
    rng = np.random.default_rng(seed)
    weights = [
        w + rng.uniform(0, 0.1, w.shape).astype(w.dtype) if w.ndim == 1 else w
        for w in model.get_weights()
    ]
    model.set_weights(weights)
    return model


@pytest.fixture(scope="session")
def student():
    import keras

    from distilpose_keras.models.model import build_model

    keras.utils.set_random_seed(0)
    model = rough(build_model("demo_student"))
    model.metadata.update({"training_data": "noise", "ap": 0.25})
    return model


@pytest.fixture(scope="session")
def crops():
    from distilpose_keras.export.reproduce import smooth_noise

    return smooth_noise(16, (64, 48), seed=1)


@pytest.fixture(scope="session")
def exported(student, crops, tmp_path_factory):
    """Export on demand: ``exported("int8.tflite")`` returns the file's path."""
    from distilpose_keras.export.onnx.write import export_onnx
    from distilpose_keras.export.tflite.write import export_tflite

    folder = tmp_path_factory.mktemp("exported")

    def make(name):
        path = folder / f"student_{name}"
        if not path.exists():
            export = export_onnx if path.suffix == ".onnx" else export_tflite
            precision = name.split(".")[0]
            export(student, path, precision=precision, calibration=crops)
        return path

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A small rendered data set in COCO's layout."""
    from distilpose_keras.synthetic import render_dataset

    folder = tmp_path_factory.mktemp("data") / "people"
    return render_dataset(folder, train_images=16, val_images=4, workers=1)


@pytest.fixture(scope="session")
def people(data):
    from distilpose_keras.data.coco import coco_paths, load_people

    return load_people(*coco_paths(data, "val"))
