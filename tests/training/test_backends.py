"""The backends agree, read each other's checkpoints, and need no TensorFlow."""

import importlib.util

import numpy as np
import processes
import pytest

BACKENDS = [
    name
    for name in ("tensorflow", "jax", "torch")
    if importlib.util.find_spec(name) is not None
]


@pytest.mark.slow
@pytest.mark.skipif(len(BACKENDS) < 2, reason="needs two backends")
def test_ten_steps_agree_and_checkpoints_are_read_across_backends(tmp_path):
    folders = {name: tmp_path / name for name in BACKENDS}
    results = {}
    for name in [*BACKENDS, BACKENDS[0]]:  # the first one again: it reads all others
        others = [f for other, f in folders.items() if f.exists() and other != name]
        results[name] = processes.run(
            "ten_steps.py", folders[name], *others, backend=name
        )
    first = results[BACKENDS[0]]
    eleventh = first["next"][str(folders[BACKENDS[0]])]
    assert len(first["losses"]) == 10
    assert len(first["next"]) == len(BACKENDS)
    for result in results.values():
        np.testing.assert_allclose(result["losses"], first["losses"], rtol=1e-3)
        after = list(result["next"].values())
        np.testing.assert_allclose(after, eleventh, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("backend", [b for b in BACKENDS if b != "tensorflow"])
def test_a_machine_without_tensorflow_trains_evaluates_and_predicts(backend, tmp_path):
    result = processes.run("without_tensorflow.py", tmp_path, backend=backend)
    assert len(result["loss"]) == 2
    assert np.isfinite(result["loss"]).all()
    assert 0 <= result["AP"] <= 1
