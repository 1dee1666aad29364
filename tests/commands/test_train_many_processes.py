"""`distilpose train` in two processes that share an output folder."""

import importlib.util
import json
import os
import socket
import subprocess
import sys

import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.shards.writer import pack_people
from distilpose_keras.models.model import build_model
from distilpose_keras.synthetic import render_dataset

BACKENDS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"{name} is not installed"
        ),
    )
    for name in ("tensorflow", "jax")
]


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(root, backend, addresses, index, arguments):
    task = {"type": "worker", "index": index}
    environment = {
        "PYTHONPATH": str(root),
        "KERAS_BACKEND": backend,
        "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task}),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(len(addresses)),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "distilpose_keras", "train", *map(str, arguments)],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_two(root, backend, arguments):
    """Run two processes; return (exit code, output, errors) of each."""
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    started = [start(root, backend, addresses, i, arguments) for i in range(2)]
    ends = [process.communicate() for process in started]
    return [(p.returncode, *end) for p, end in zip(started, ends, strict=True)]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A tiny data set and a teacher that learned nothing."""
    folder = tmp_path_factory.mktemp("given")
    render_dataset(folder / "people", train_images=12, val_images=5, workers=1)
    build_model("demo_teacher").save(folder / "teacher.keras")
    return [
        *("--data", folder / "people", "--teacher", folder / "teacher.keras"),
        *("--preset", "demo", "--epochs", 1, "--batch-size", 7, "--workers", 1),
        *("--strategy", "multi_worker"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_processes_make_one_run(root, given, tmp_path, backend):
    arguments = [*given, "--out", tmp_path / "out"]
    chief, other = run_two(root, backend, arguments)
    assert chief[0] == other[0] == 0, (chief[2][-2000:], other[2][-2000:])
    assert "report:" in chief[1]
    assert "report:" not in other[1]
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    models = [row["model"] for row in metrics["rows"]]
    assert models[:2] == ["teacher", "baseline"]
    assert len(models) > 3
    assert set(models[2:]) == {"student"}
    assert len(json.loads((tmp_path / "out" / "run.json").read_text())["starts"]) == 1
    left_over = [path for path in (tmp_path / "out").rglob(".*")]
    assert not left_over  # no half of a file that two wrote at once
    again = run_two(root, backend, arguments)
    assert [code for code, _, _ in again] == [2, 2]
    assert "--resume" in again[0][2].splitlines()[-1]
    assert "another process stopped" in again[1][2].splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_processes_that_nothing_names_are_refused(root, given, tmp_path, backend):
    process = subprocess.run(
        [sys.executable, "-m", "distilpose_keras", "train", *map(str, given)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr.count("\n")) == (2, 1), process.stderr
    assert "in the environment" in process.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_fewer_people_than_processes_are_refused(root, given, tmp_path, backend):
    arguments = [*given, "--limit", 1, "--out", tmp_path / "out"]
    for code, _, errors in run_two(root, backend, arguments):
        assert code == 2
        last = errors.splitlines()[-1]
        assert "in 2 processes needs at least as many people. Received: 1" in last
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def packed(given):
    """The same people as three shards of train and one of val, and as one of each."""
    people = given[1]
    for name, per_shard in (("shards", 8), ("one", None)):
        for split in ("train", "val"):
            pack_people(
                load_people(*coco_paths(people, split)),
                people.parent / name,
                split,
                people_per_shard=per_shard,
                annotations=split == "val",
            )
    return people.parent


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_processes_train_on_shards(root, given, packed, tmp_path, backend):
    model = ["--model", "tokenpose_stemnet", "--preset", "demo", "--batch-size", 7]
    more = ["--epochs", 2, "--workers", 1, "--strategy", "multi_worker"]
    arguments = ["--data", packed / "shards", *model, *more, "--out", tmp_path / "out"]
    chief, other = run_two(root, backend, arguments)
    assert chief[0] == other[0] == 0, (chief[2][-2000:], other[2][-2000:])
    (row,) = json.loads((tmp_path / "out" / "metrics.json").read_text())["rows"]
    assert row["model"] == "teacher" and 0 <= row["AP"] <= 1
    assert not list((tmp_path / "out").rglob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_fewer_shards_than_processes_are_refused(
    root, given, packed, tmp_path, backend
):
    arguments = [*given, "--data", packed / "one", "--out", tmp_path / "out"]
    for code, _, errors in run_two(root, backend, arguments):
        assert code == 2
        last = errors.splitlines()[-1]
        assert "in 2 processes needs at least as many shards" in last
    assert not (tmp_path / "out").exists()
