"""Kills a training again and again: ``python kill_and_resume.py FOLDER KILLS SEED``.

Each attempt is a forked process that is sent SIGKILL some steps after its first one, at
a random moment of a step or of the writing of a checkpoint. When enough have been
killed, one may finish. Prints the steps that were saved at each kill as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import run_training


class Report(keras.callbacks.Callback):
    """Writes a byte to a pipe after every step."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def on_train_batch_end(self, batch, logs=None):
        os.write(self.pipe, b"1")


def start(folder, epochs):
    """Fork a process that trains; return its id and the end of its pipe."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.close(reader)
    code = 1
    try:
        run_training.run(folder, epochs=epochs, callbacks=[Report(writer)])
        code = 0
    finally:
        os._exit(code)


def finish(folder, epochs):
    """Train to the end in a process."""
    child, reader = start(folder, epochs)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    if status:
        raise SystemExit(f"a training ended with status {status}")


def main(folder, kills, seed, epochs=30, most_steps=9):
    folder, rng = Path(folder), random.Random(seed)
    finish(folder / "whole", epochs)
    positions = []
    while len(positions) < kills:
        child, reader = start(folder / "killed", epochs)
        last, step_time = time.monotonic(), 0.0
        for _ in range(rng.randint(1, most_steps)):
            os.read(reader, 1)
            step_time, last = time.monotonic() - last, time.monotonic()
        time.sleep(rng.uniform(0, min(step_time, 0.1)))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reader)
        if not os.WIFSIGNALED(status):
            raise SystemExit("the training ended before it was killed often enough")
        saved = sorted((folder / "killed" / "checkpoints").glob("*.json"))
        positions.append(json.loads(saved[-1].read_text())["step"] if saved else 0)
    finish(folder / "killed", epochs)
    print(json.dumps({"positions": positions}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
