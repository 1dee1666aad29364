"""The table and the TensorBoard events of a training."""

import re
import time

import numpy as np
import pytest

from distilpose_keras.training.logs import (
    CsvLog,
    EpochLine,
    TensorBoardLog,
    read_csv_log,
    shown_progress,
)


def test_rows_after_the_resumed_epoch_are_written_again(tmp_path):
    path = tmp_path / "log.csv"
    log = CsvLog(path)
    for epoch in range(3):
        log.on_epoch_end(epoch, {"loss": float(epoch)})
    log = CsvLog(path, first_epoch=1)
    log.on_epoch_end(1, {"loss": 7.0, "val_AP": 0.5})
    assert read_csv_log(path) == [
        {"epoch": 0, "loss": 0.0},
        {"epoch": 1, "loss": 7.0, "val_AP": 0.5},
    ]
    assert log.history == {"loss": [0.0, 7.0], "val_AP": [None, 0.5]}


def test_tensorboard_events_are_read_by_tensorflow(tmp_path):
    tf = pytest.importorskip("tensorflow")
    log = TensorBoardLog(tmp_path)
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": np.float32(1.5)})
    log.on_epoch_end(300, {"loss": 0.25, "val_AP": 0.75})
    log.on_train_end()
    (file,) = tmp_path.iterdir()
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]
    assert events[0].file_version == "brain.Event:2"
    scalars = [
        (event.step, value.tag, value.simple_value)
        for event in events
        for value in event.summary.value
    ]
    assert scalars == [(0, "loss", 1.5), (300, "loss", 0.25), (300, "val_AP", 0.75)]
    assert all(event.wall_time > 1.7e9 for event in events)


def test_figures_are_in_the_event_file_before_the_training_ends(tmp_path):
    tf = pytest.importorskip("tensorflow")
    log = TensorBoardLog(tmp_path)
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 1.5})
    (file,) = tmp_path.iterdir()
    for _ in range(100):  # a second, and more on a busy machine
        if len(list(tf.data.TFRecordDataset(str(file)))) >= 2:
            break
        time.sleep(0.1)
    else:
        pytest.fail("nothing was written in ten seconds")
    log.on_train_end()


def test_an_epoch_is_one_line_with_its_seconds_and_figures(capsys):
    line = EpochLine()
    line.set_params({"epochs": 16})
    line.on_epoch_begin(2)
    line.on_epoch_end(2, {"loss": np.float32(0.0123456), "val_AP": 0.5})
    pattern = r"epoch 3/16  0\.0 s  loss 0\.01235  val_AP 0\.5\n"
    assert re.fullmatch(pattern, capsys.readouterr().out)


def test_a_bar_is_for_terminals(monkeypatch):
    verbose, shown = shown_progress("auto")  # pytest reads what is printed
    assert verbose == 0 and [type(callback) for callback in shown] == [EpochLine]
    assert shown_progress(2) == (2, [])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert shown_progress("auto") == (1, [])
