"""Kills a recipe in its stages: ``python kill_recipe.py FOLDER``.

Each attempt is a forked process that runs a small recipe with ``resume`` and is sent
SIGKILL when a file shows that the stage is under way. After all of `STAGES` one may
finish. Prints as JSON, for each stage, the files there were at its kill.
"""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from distilpose_keras.recipe.options import RunOptions
from distilpose_keras.recipe.run import run_recipe
from distilpose_keras.recipe.settings import demo_recipe

# Stage: what is there once it has begun.
STAGES = {
    "rendering": ".data.partial-*/train2017/*.jpg",
    "teacher": "training/teacher/checkpoints/*.json",
    "student": "training/student/checkpoints/*.json",
    "export": "student.onnx",
}
FINISHED = ("data", "teacher.keras", "student.keras", "metrics.json", "report.html")


def settings():
    demo = demo_recipe()
    training = replace(demo.student_training, epochs=3, batch_size=16)
    return replace(
        demo,
        student_training=training,
        teacher_training=training,
        baseline=False,
        synthetic={**demo.synthetic, "train_images": 40, "val_images": 4},
    )


def start(out):
    """Fork a process that runs the recipe; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        run_recipe(settings(), RunOptions(out, workers=1, resume=True))
        code = 0
    finally:
        os._exit(code)


def finish(out):
    """Run the recipe to its end."""
    _, status = os.waitpid(start(out), 0)
    if status:
        raise SystemExit(f"a recipe ended with status {status}")


def kill_at(out, pattern):
    """Run the recipe until a file is there; return what is finished by then."""
    child = start(out)
    while not any(out.glob(pattern)):
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            raise SystemExit(f"a recipe ended before {pattern} was there")
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return [name for name in FINISHED if (out / name).exists()]


def main(folder):
    folder = Path(folder)
    finish(folder / "whole")
    killed = {s: kill_at(folder / "killed", p) for s, p in STAGES.items()}
    finish(folder / "killed")
    print(json.dumps(killed))


if __name__ == "__main__":
    main(sys.argv[1])
