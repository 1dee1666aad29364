"""`distilpose predict` on a video, against the slowest of its stages."""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.progress import Progress

from distilpose_keras.detection import PersonFinder
from distilpose_keras.picture_writer import PictureWriter
from distilpose_keras.pictures import PictureSource
from distilpose_keras.pose_lines import PoseLines, write_results
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.synthetic.clips import PLOTS, render_clip
from distilpose_keras.video.annotate import Annotator, threads_per_model
from distilpose_keras.video.writing import VideoFile

SIZE = (480, 640)
STAGES = ("read", "find", "pose", "draw", "write")


def run(args):
    """Measure, and return one dict per row of the table.

    Each stage works through the frames alone, then all work as in the command, in
    turns; seconds are medians. ``ratio`` is the rate of all against that of the
    slowest stage: 1 if nothing is lost, and ``faster`` against one stage after the
    other. Loading programs and the model is not in it.

    Args:
        args: namespace of the arguments of ``distilpose benchmark video``.
    """
    predictor = PosePredictor(args.model, num_threads=threads_per_model())
    find = _finder(args.finder)
    with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as bar:
        clip = write_clip(Path(folder) / "clip.mp4", args.frames)
        total = (1 + len(STAGES)) * (args.rounds + 1)
        task = bar.add_task("stages", total=total)
        seconds = []
        for turn in range(args.rounds + 1):
            place = Path(folder) / str(turn)
            alone = _stages_alone(_annotator(predictor, find, place / "alone"), clip)
            bar.advance(task, len(STAGES))
            seconds.append([*alone, _together(predictor, find, place / "all", clip)])
            bar.advance(task)
    return rows(np.median(seconds[1:], axis=0), args.frames)  # the first warmed up


def rows(seconds, frames):
    """Rows of the table from the seconds of each stage and of all together."""
    *alone, together = map(float, seconds)
    found = [
        {"stage": name, "seconds": round(value, 2), "per_second": round(frames / value)}
        for name, value in zip(STAGES, alone, strict=True)
    ]
    summary = {
        "frames": frames,
        "seconds": round(together, 2),
        "per_second": round(frames / together, 1),
        "one_after_the_other": round(frames / sum(alone), 1),
        "faster": round(sum(alone) / together, 2),
        "slowest_stage": STAGES[int(np.argmax(alone))],
        "ratio": round(max(alone) / together, 2),
    }
    return [*found, summary]


def write_clip(path, frames):
    """Render two people who walk and write them as a video; return its path."""
    video = VideoFile(path, 25, SIZE[::-1])
    for frame in render_clip(PLOTS["two"], frames=frames, size=SIZE):
        video.write(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    video.close()
    return path


def _finder(kind):
    """The command's own finder, or boxes at once, as where the finder costs nothing."""
    if kind == "own":
        finder = PersonFinder(num_threads=threads_per_model())
        return lambda picture: finder.find(picture.image)
    boxes = np.array([[60.0, 120, 90, 260], [400, 120, 90, 260]])
    return lambda picture: (boxes, np.ones(2))


def _annotator(predictor, find, folder):
    return Annotator(
        predictor, find, PoseLines(folder / "poses.jsonl"), PictureWriter(folder)
    )


def _stages_alone(annotator, clip):
    """Seconds of reading and of each stage, one stage after the other."""
    start = time.perf_counter()
    items = list(PictureSource([clip]))
    seconds = [time.perf_counter() - start]
    for stage in annotator.stages():
        start = time.perf_counter()
        items = [stage(item) for item in items]
        if stage == annotator.keep:
            _finish(annotator)
        seconds.append(time.perf_counter() - start)
    return seconds


def _together(predictor, find, folder, clip):
    """Seconds of all stages as the command runs them."""
    start = time.perf_counter()
    annotator = _annotator(predictor, find, folder)
    for _ in annotator.run(PictureSource([clip])):
        pass
    _finish(annotator)
    return time.perf_counter() - start


def _finish(annotator):
    annotator.writer.close()
    write_results(annotator.lines.path.with_name("poses.json"), annotator.lines)
    annotator.lines.close()
