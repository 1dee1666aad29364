import json
import os
import signal
import time

import pytest

from distilpose_keras.files import (
    atomic_path,
    standard_error_dropped,
    undisturbed,
    write_json,
)


def test_a_finished_file_replaces_the_old_one(tmp_path):
    target = tmp_path / "a" / "model.bin"
    for content in ("first", "second"):
        with atomic_path(target) as temporary:
            assert temporary.suffix == ".bin"
            temporary.write_text(content)
    assert target.read_text() == "second"
    assert [p.name for p in target.parent.iterdir()] == ["model.bin"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "model.bin"
    target.write_text("old")
    with pytest.raises(OSError, match="disk full"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]


def test_json_is_written_whole(tmp_path):
    write_json(tmp_path / "m.json", {"AP": 0.5})
    assert json.loads((tmp_path / "m.json").read_text()) == {"AP": 0.5}
    with pytest.raises(TypeError):
        write_json(tmp_path / "m.json", {"AP": object()})
    assert json.loads((tmp_path / "m.json").read_text()) == {"AP": 0.5}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_results_are_saved(number):
    order = []
    before = signal.signal(number, lambda *_: order.append("signal"))
    try:
        with undisturbed():
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            order.append("saved")
    finally:
        signal.signal(number, before)
    assert order == ["saved", "signal"]


def test_what_is_no_python_says_nothing_on_standard_error(capfd):
    with standard_error_dropped():
        os.write(2, b"chatter")
    os.write(2, b"kept")
    assert capfd.readouterr().err == "kept"
