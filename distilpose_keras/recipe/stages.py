"""The stages of a run: data, training, exported files, their scores."""

import sys

from distilpose_keras.data.appearance import AppearanceAugmentation
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.export.calibration import calibration_crops
from distilpose_keras.export.onnx.write import export_onnx
from distilpose_keras.export.reproduce import ExportError
from distilpose_keras.export.tflite.write import export_tflite
from distilpose_keras.files import atomic_path
from distilpose_keras.recipe.sharded import sharded_crops
from distilpose_keras.synthetic import render_dataset
from distilpose_keras.training.local_copy import OnLocalCopy
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.pose_evaluation import PoseEvaluation
from distilpose_keras.training.schedules import WarmupStep, warmup_cosine

# Writer and precision of each file.
FILES = {
    "student.onnx": (export_onnx, "float32"),
    "student_int8.onnx": (export_onnx, "int8"),
    "student_float32.tflite": (export_tflite, "float32"),
    "student_float16.tflite": (export_tflite, "float16"),
    "student_int8.tflite": (export_tflite, "int8"),
    "student_int8-full.tflite": (export_tflite, "int8-full"),
}


def render_data(settings, options):
    """Render a data set into the output folder, if it is not there yet.

    Returns:
        Folder of the data set.
    """
    data = options.out / "data"
    if not data.exists():
        render_dataset(data, seed=options.seed, progress=True, **settings.synthetic)
    return data


def load_splits(data, limit=None, *, category=None, flip_pairs=None):
    """Return the train and the val people of a data set in COCO's layout.

    Args:
        data: folder of the data set.
        limit: people per split; None for all.
        category: see `load_people`.
        flip_pairs: see `load_people`.
    """
    how = {"category": category, "flip_pairs": flip_pairs}
    people = [
        load_people(*coco_paths(data, split), **how) for split in ("train", "val")
    ]
    return [p if limit is None else p.limit(limit) for p in people]


def train_model(trainer, file, splits, training, settings, options, processes):
    """Train a model and save it, its AP and data in its metadata.

    Args:
        trainer: `PoseTrainer` or `Distiller`, not compiled.
        file: ``.keras`` file in the output folder; its stem names the training.
        splits: train and val `PeopleIndex`; train may be `ShardedPeople`.
        training: `TrainingSettings`.
        settings: `RecipeSettings`.
        options: `RunOptions`.
        processes: `Processes`.

    Returns:
        The history, a dict of one value per epoch for each figure; and the files of
        the images that could not be read and were skipped.
    """
    people, val_people = splits
    model = trainer.model
    evaluation = PoseEvaluation(val_people, every=training.evaluate_every)
    if options.strategy != "single":
        evaluation = OnLocalCopy(evaluation, model)
    with PoseDataset(
        people,
        batch_size=min(training.batch_size, len(people)),
        input_size=model.pose_config.input_size,
        geometry=model.pose_config.geometry,
        augmentation=Augmentation(**settings.augmentation),
        appearance=AppearanceAugmentation() if settings.appearance else None,
        seed=options.seed,
        image_dtype="uint8",
        skip_bad_images=options.skip_bad_images,
        workers=options.workers,
    ) as batches:
        # XLA as Keras decides: on TensorFlow not on CPUs, where `tools/benchmark.py
        # training --jit both` found that a step takes 1.1 to 1.3 times as long with it.
        trainer.compile(optimizer=_optimizer(training, len(batches), options))
        history = train(
            trainer,
            batches,
            epochs=training.epochs,
            run_dir=options.out / "training" / file.stem,
            resume=options.resume,
            callbacks=[evaluation],
        )
    model.metadata["training_data"] = people.annotation_file.name
    model.metadata["ap"] = history["val_AP"][-1]  # the last epoch is always evaluated
    model.metadata["ap_data"] = val_people.annotation_file.name
    processes.first(_save, model, file)
    return history, _bad_images(batches, processes)


def _bad_images(batches, processes):
    """Return the files that were skipped in any process."""
    files = batches.people.picture_names()
    bad = processes.anywhere([file in batches.bad_images for file in files])
    return {file for file, is_bad in zip(files, bad, strict=True) if is_bad}


def _save(model, file):
    with atomic_path(file) as temporary:
        model.save(temporary)


def without_images(people, files):
    """Leave out the people of some images; of shards nobody."""
    if _in_shards(people):
        return people
    kept = [i for i, person in enumerate(people) if str(person.image_path) not in files]
    return people.take(kept)


def _in_shards(people):
    return isinstance(people, ShardedPeople)


def _optimizer(training, steps_per_epoch, options):
    """Adam with the schedule of a training."""
    total = training.epochs * steps_per_epoch
    warmup = min(training.warmup_steps, total // 10)
    if training.drop_epochs is None:
        rate = warmup_cosine(training.learning_rate, total, warmup_steps=warmup)
    else:
        drops = [epoch * steps_per_epoch for epoch in training.drop_epochs]
        rate = WarmupStep(training.learning_rate, drops, warmup_steps=warmup)
    return make_optimizer(
        rate,
        ema_momentum=training.ema_momentum,
        loss_scaling=options.precision == "mixed_float16",
    )


def export_files(student, people, out):
    """Write a student as ONNX and TFLite files, each run by its runtime.

    A file that does not reproduce the student is not written, and a line says so: the
    training is not lost for it.

    Args:
        student: `PoseModel`.
        people: `PeopleIndex` or `ShardedPeople` that int8 calibrates on.
        out: folder of the files.

    Returns:
        Paths of the files.
    """
    calibrate = sharded_crops if _in_shards(people) else calibration_crops
    crops = calibrate(people, student)
    written = []
    for name, (export, precision) in FILES.items():
        try:
            export(student, out / name, precision=precision, calibration=crops)
        except ExportError as error:
            print(f"{name} was not written: {error}", file=sys.stderr)
        else:
            written.append(out / name)
    return written
