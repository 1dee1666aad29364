"""Two replicas are one: in one process, and in two that talk over the loopback."""

import importlib.util
import json
import shutil
import signal
from functools import cache

import keras
import numpy as np
import processes
import pytest
import two_replicas

from distilpose_keras.synthetic import render_dataset
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


SCRIPT = "one_of_two_processes.py"


def start_two(backend, *arguments):
    """Start two processes that train together."""
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
        started.append(
            processes.start(SCRIPT, *arguments, backend=backend, **variables)
        )
    return started


def start_one(backend, *arguments):
    """Start one process that trains alone."""
    return [
        processes.start(SCRIPT, *arguments, "--strategy", "single", backend=backend)
    ]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A data set of a few rendered people."""
    return render_dataset(
        tmp_path_factory.mktemp("people"), train_images=8, val_images=1, workers=1
    )


@pytest.fixture(scope="module")
def alone(people, tmp_path_factory):
    """Return a function from a backend to a training in one process and its folder."""

    @cache
    def train(backend):
        run_dir = tmp_path_factory.mktemp(f"alone_{backend}")
        (process,) = start_one(backend, run_dir, people)
        return processes.result(process), run_dir

    return train


def assert_same_weights(run_dir, other):
    with (
        np.load(run_dir / "final.npz") as one,
        np.load(other / "final.npz") as two,
    ):
        assert len(one) > 10
        for name in one:
            np.testing.assert_allclose(two[name], one[name], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_processes_train_as_one_with_half_of_the_input(
    backend, people, alone, tmp_path
):
    chief, other = map(processes.result, start_two(backend, tmp_path, people))
    one, one_dir = alone(backend)
    assert chief["chief"] and not other["chief"]
    assert chief["replicas"] == other["replicas"] == 2
    assert chief["weights"] == other["weights"]
    assert chief["history"] == other["history"]
    for name, values in one["history"].items():
        np.testing.assert_allclose(chief["history"][name], values, atol=1e-5)
    assert chief["loss"] == pytest.approx(one["loss"], abs=1e-5)
    assert_same_weights(one_dir, tmp_path)
    # 13 people in batches of 4: four steps in each of three epochs.
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == [
        f"step-000000{step}.{kind}" for step in (10, 12) for kind in ("json", "npz")
    ]
    # Batches of 4, 4, 4, 1 are 2, 2, 2, 1 for each. Keras looks at some beforehand.
    looked_at = one["crops"] - 3 * 13
    assert looked_at in (0, 4, 8, 12)
    for each in (chief, other):
        assert each["crops"] == 3 * 7 + looked_at / 2
        assert each["pictures"] < 0.75 * one["pictures"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "first, then",
    [(start_two, start_one), (start_one, start_two)],
    ids=["two_then_one", "one_then_two"],
)
def test_a_killed_training_goes_on_in_another_number_of_processes(
    first, then, backend, people, alone, tmp_path
):
    for process in first(backend, tmp_path, people, "--kill-at", 7):
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    # In the middle of the second epoch of three.
    assert (tmp_path / "checkpoints" / "step-00000006.json").exists()
    chief, *_ = map(processes.result, then(backend, tmp_path, people))
    one, one_dir = alone(backend)
    for name, values in one["history"].items():
        np.testing.assert_allclose(chief["history"][name], values, atol=1e-5)
    assert_same_weights(one_dir, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bad_picture_of_one_process_ends_both(backend, people, tmp_path):
    damaged = shutil.copytree(people, tmp_path / "damaged")
    picture = sorted((damaged / "train2017").iterdir())[5]
    picture.write_bytes(picture.read_bytes()[:-3000])
    started = start_two(backend, tmp_path / "run", damaged)
    try:  # without care the two wait for each other
        errors = [process.communicate(timeout=600)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert all(process.returncode for process in started)
    assert any(f"truncated: {picture}" in text for text in errors)


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
