"""Two replicas are one: in one process, and in two that talk over the loopback."""

import importlib.util
import json

import keras
import numpy as np
import processes
import pytest
import two_replicas

from distilpose_keras.training.strategies import strategy_scope


def needs(package):
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


BACKENDS = [pytest.param(name, marks=needs(name)) for name in ("tensorflow", "jax")]
# Keras cannot do the first two; on JAX, one sample left is as uneven as five.
LEFT_OUT = {
    "tensorflow": {"accumulated"},
    "jax": {"uneven_tf_data", "one_sample_left"},
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_replicas_train_as_one(backend):
    cases = set(two_replicas.CASES) - LEFT_OUT[backend]
    differences = processes.run("two_replicas.py", *sorted(cases), backend=backend)
    assert set(differences) == cases
    for case, largest in differences.items():
        assert max(largest.values()) < 1e-5, (case, largest)


@needs("tensorflow")
def test_accumulation_under_a_tensorflow_strategy_is_refused():
    process = processes.start("two_replicas.py", "accumulated", backend="tensorflow")
    _, errors = process.communicate()
    assert process.returncode
    assert "ValueError: TensorFlow strategies do not accumulate gradients" in errors


def two_processes(backend, run_dir):
    """Train in two processes and return what each prints."""
    ports = [f"localhost:{port}" for port in processes.free_ports(2)]
    started = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        variables = {
            "TF_CONFIG": json.dumps({"cluster": {"worker": ports}, "task": task}),
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": ports[0],
            "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
            "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
        }
        script = "one_of_two_processes.py"
        started.append(processes.start(script, run_dir, backend=backend, **variables))
    return [processes.result(process) for process in started]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_processes_train_agree_and_write_one_checkpoint(backend, tmp_path):
    chief, other = two_processes(backend, tmp_path / "two")
    alone = processes.run(
        "one_of_two_processes.py", tmp_path / "one", "single", backend=backend
    )
    assert chief["chief"] and not other["chief"]
    assert chief["replicas"] == other["replicas"] == 2
    assert chief["weights"] == other["weights"]
    assert chief["history"] == other["history"]
    for name, values in alone["history"].items():
        np.testing.assert_allclose(chief["history"][name], values, atol=1e-5)
    assert chief["loss"] == pytest.approx(alone["loss"], abs=1e-5)
    # 13 samples in batches of 4: four steps in each of three epochs.
    names = sorted(path.name for path in (tmp_path / "two" / "checkpoints").iterdir())
    assert names == [
        f"step-000000{step}.{kind}" for step in (10, 12) for kind in ("json", "npz")
    ]
    with (
        np.load(tmp_path / "one" / "final.npz") as one,
        np.load(tmp_path / "two" / "final.npz") as two,
    ):
        for name in one:
            np.testing.assert_allclose(two[name], one[name], atol=1e-5)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="strategy must be one of"):
        with strategy_scope("wishful"):
            pass


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of PyTorch alone")
def test_pytorch_has_one_replica():
    with pytest.raises(ValueError, match="trains on one device"):
        with strategy_scope("mirrored"):
            pass
