"""Jobs on a local Ray cluster: killed, stopped and taken up."""

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from distilpose_keras.bulk import job
from distilpose_keras.bulk.inputs import list_pictures
from distilpose_keras.bulk.job import predict_many
from distilpose_keras.bulk.parts import PartMaker, missing_parts, part_files
from distilpose_keras.bulk.ray_data import make_parts, ray_cluster
from tests.own_process import in_own_process

from .conftest import COUNT, DAMAGED

parquet = pytest.importorskip("pyarrow.parquet")
MANY = 120
needs_ray = pytest.mark.usefixtures("ray")


@pytest.fixture
def ray():
    return pytest.importorskip("ray", reason="Ray is not installed")


@pytest.fixture
def many(pictures, tmp_path):
    """Folder of the pictures under many names, to keep workers busy for seconds."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        source = pictures / f"{number % COUNT + 1}.jpg"
        (folder / f"{number}.jpg").symlink_to(source)
    return folder


def workers_below(pid):
    """Process ids of Ray's workers that find poses, among the descendants."""
    parents, workers = {}, set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        parents[int(entry.name)] = int(parent)
        if state != "Z" and command.startswith(b"ray::") and b"Worker" in command:
            workers.add(int(entry.name))

    def is_below(process):
        while process not in (0, pid):
            process = parents.get(process, 0)
        return process == pid

    return {worker for worker in workers if is_below(worker)}


def rows_of(folder):
    return [row for path in part_files(folder) for row in read(path)]


def read(path):
    return parquet.read_table(path).to_pylist()


def stop(made, left):
    """Interrupt a job."""
    raise KeyboardInterrupt


def make_all(parts, folder, settings):
    """Make parts in a cluster of one worker."""
    with ray_cluster(None, 1) as workers:
        return list(make_parts(parts, folder, settings, workers))


class Killer(threading.Thread):
    """Sends SIGKILL to all workers as soon as there is a part."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.killed, self.parts = set(), 0
        self.given_up = threading.Event()

    def run(self):
        while not part_files(self.folder) and not self.given_up.is_set():
            time.sleep(0.005)
        self.killed = workers_below(os.getpid())
        for worker in self.killed:
            os.kill(worker, signal.SIGKILL)
        self.parts = len(part_files(self.folder))


@pytest.mark.slow
@needs_ray
def test_killed_workers_lose_nothing_and_double_nothing(many, settings, tmp_path):
    out = tmp_path / "out"
    killer = Killer(out)
    killer.start()
    try:
        job_of = {"workers": 2, "size": 2}
        totals = in_own_process(predict_many, [many], out, settings, **job_of)
    finally:
        killer.given_up.set()
        killer.join()
    assert killer.killed  # one, where the other has not begun yet
    assert 0 < killer.parts < MANY / 2  # in the middle
    damaged = sum(number % COUNT + 1 == DAMAGED for number in range(MANY))
    assert totals == {
        "pictures": MANY,
        "people": MANY - damaged,
        "errors": damaged,
        "before": 0,
    }
    listed = list_pictures([many])
    alone = missing_parts(tmp_path / "alone", listed, set(), size=MANY)
    PartMaker(tmp_path / "alone", settings).make(*alone)
    for row, expected in zip(rows_of(out), rows_of(tmp_path / "alone"), strict=True):
        # Another batch, another order of additions: the last digit may differ.
        assert row == pytest.approx(expected, abs=0.0021)


@pytest.mark.slow
@needs_ray
def test_a_stopped_job_goes_on_with_what_is_missing(
    many, settings, tmp_path, monkeypatch
):
    out, job_of = tmp_path / "out", {"workers": 1, "size": 2}
    with pytest.raises(KeyboardInterrupt):
        in_own_process(predict_many, [many], out, settings, **job_of, on_part=stop)
    before = {path: path.stat().st_mtime_ns for path in part_files(out)}
    done = sum(len(read(path)) for path in before)
    assert 2 <= done < MANY
    totals = in_own_process(predict_many, [many], out, settings, **job_of)
    assert (totals["before"], totals["pictures"]) == (done, MANY - done)
    for path, written in before.items():
        assert path.stat().st_mtime_ns == written
    names = Counter(row["file_name"] for row in rows_of(out))
    assert names == dict.fromkeys((p.name for p in list_pictures([many])), 1)
    monkeypatch.setattr(job, "ray_cluster", None)  # not needed any more
    assert predict_many([many], out, settings)["before"] == MANY


@pytest.mark.slow
@needs_ray
def test_what_stops_a_worker_stops_the_job(pictures, settings, tmp_path):
    parts = missing_parts(tmp_path, list_pictures([pictures]), set(), size=5)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file"):
        in_own_process(make_all, parts, tmp_path / "file", settings)


@needs_ray
def test_a_model_that_cannot_be_used_is_named_at_once(pictures, settings, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    broken = type(settings)(str(tmp_path / "broken.onnx"))
    with pytest.raises(ValueError, match="broken.onnx"):
        predict_many([pictures], tmp_path / "out", broken)
    assert not (tmp_path / "out").exists()
