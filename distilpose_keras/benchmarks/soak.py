"""Long runs: whether memory grows, and whether files stay open."""

import tempfile
import time

import keras
from rich.progress import Progress

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.detection import PersonFinder
from distilpose_keras.memory import growth_per_hour, open_descriptors, resident_mb
from distilpose_keras.models.model import build_model
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.synthetic import render_dataset
from distilpose_keras.synthetic.clips import PLOTS, render_clip
from distilpose_keras.training.trainer import PoseTrainer

CLIP = 25  # rendered frames, shown again and again
WARM_UP = 0.2  # of a run, left out: caches fill
PEOPLE_PICTURES = 6  # of the data set that is trained on


class Record:
    """Memory and descriptors of this process over time."""

    def __init__(self, every: float = 0.0) -> None:
        """Take a measurement at most every so many seconds."""
        self.every = every
        self.seconds, self.mb, self.descriptors = [], [], []
        self._begun = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    def measure(self) -> None:
        """Take a measurement, if it is time to."""
        if not self.seconds or self.elapsed - self.seconds[-1] >= self.every:
            self.seconds.append(self.elapsed)
            self.mb.append(resident_mb())
            self.descriptors.append(open_descriptors())

    def row(self, **what) -> dict:
        """Return a row of the table; the first part of the run does not count."""
        first = min(int(WARM_UP * len(self.seconds)), len(self.seconds) - 2)
        seconds, mb = self.seconds[first:], self.mb[first:]
        return {
            **what,
            "minutes": round(self.elapsed / 60, 2),
            "measurements": len(mb),
            "mb_first": round(mb[0], 1),
            "mb_last": round(mb[-1], 1),
            "mb_per_hour": round(growth_per_hour(seconds, mb), 1),
            "descriptors_first": self.descriptors[first],
            "descriptors_last": self.descriptors[-1],
        }


def run(args):
    """Run for a while, and return a row for each of the two.

    The predictor finds people and poses in rendered frames, for ``minutes``; then a
    small model is trained on a few people for ``epochs``. Memory is resident; its
    slope is by least squares, without the first fifth of the run, which fills caches.

    Args:
        args: namespace of the arguments of ``distilpose benchmark soak``.
    """
    with Progress(transient=True) as bar:
        return [
            soak_predictor(args.model, 60 * args.minutes, bar),
            *([soak_fit(args.epochs, bar)] if args.epochs else []),
        ]


def soak_predictor(model, seconds, bar):
    """Find people and poses in frames for some seconds."""
    frames = [frame.image for frame in render_clip(PLOTS["two"], frames=CLIP)]
    finder, predictor = PersonFinder(), PosePredictor(model)
    task = bar.add_task("predictor", total=seconds)
    record, count = Record(every=min(1.0, seconds / 20)), 0
    while record.elapsed < seconds or len(record.seconds) < 3:
        image = frames[count % CLIP]
        boxes, _ = finder.find(image)
        predictor.predict(image, boxes)
        record.measure()
        count += 1
        bar.update(task, completed=record.elapsed)
    return record.row(run="predictor", steps=count)


class _EachEpoch(keras.callbacks.Callback):
    """Measures at the end of every epoch."""

    def __init__(self, record, advance):
        super().__init__()
        self.record, self.advance = record, advance

    def on_epoch_end(self, epoch, logs=None):
        self.record.measure()
        self.advance()


def soak_fit(epochs, bar):
    """Train a small model on a few people for some epochs."""
    task = bar.add_task("fit", total=epochs)
    with tempfile.TemporaryDirectory() as folder:
        data = render_dataset(
            f"{folder}/people", train_images=PEOPLE_PICTURES, val_images=1, workers=1
        )
        people = load_people(*coco_paths(data, "train"))
        trainer = PoseTrainer(build_model("demo_student"))
        trainer.compile(optimizer=keras.optimizers.Adam(1e-3))
        size = trainer.model.pose_config.input_size
        record = Record()
        each = _EachEpoch(record, lambda: bar.advance(task))
        with PoseDataset(
            people, batch_size=4, input_size=size, image_dtype="uint8"
        ) as batches:
            trainer.fit(batches, epochs=epochs, verbose=0, callbacks=[each])
    return record.row(run="fit", steps=epochs)
