"""A whole run: from people to a distilled, scored and exported student."""

import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path

import keras

from distilpose_keras.checking.dataset import check_dataset
from distilpose_keras.data.shards.people import ShardedPeople
from distilpose_keras.data.share import Share
from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.distillation.pairs import shapes_shown
from distilpose_keras.evaluation import evaluate
from distilpose_keras.export.verify import verify
from distilpose_keras.files import atomic_path, write_json
from distilpose_keras.models.checkpoints import init_backbone_from
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.models.presets import MODELS
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.profiling.model import profile
from distilpose_keras.recipe.sharded import (
    holds_shards,
    load_unpacked_val,
    open_shards,
    unpack_val,
)
from distilpose_keras.recipe.stages import (
    export_files,
    load_splits,
    render_data,
    train_model,
    without_images,
)
from distilpose_keras.report.galleries import SHOWN, galleries_of, photographs_of
from distilpose_keras.report.page import COLUMNS, write_report
from distilpose_keras.report.photographs import choose_photographs
from distilpose_keras.training.precision import precision
from distilpose_keras.training.processes import Processes
from distilpose_keras.training.run_record import check_run, open_run
from distilpose_keras.training.strategies import strategy_scope
from distilpose_keras.training.trainer import PoseTrainer


def run_recipe(settings, options):
    """Train, compare, export, verify and report.

    The output folder receives ``teacher.keras``, ``student.keras`` (and
    ``baseline.keras``), the exported files, ``metrics.json`` and ``report.html``; of a
    recipe without a student ``teacher.keras``, the metrics and the report. Of
    several processes (``multi_worker``) all train, and the first one writes.

    Args:
        settings: `RecipeSettings`.
        options: `RunOptions`; the same in all processes, the folder too.

    Returns:
        One row (a dict) for each model and file, as `metrics.json` holds them; an
        empty list in all processes but the first.

    Raises:
        ValueError: if the output folder is in use, or the data, the teacher or the
            photographs cannot be used; one line that says which.
    """
    processes = Processes(options.strategy)
    photos = []
    if options.photos is not None:
        photos = processes.first(choose_photographs, options.photos, SHOWN)
    splits = _open(settings, options, processes)
    histories, bad_images = _train_models(settings, options, splits, processes)
    trained = (splits, histories, bad_images)
    return processes.first(_finish, settings, options, *trained, photos) or []


def _finish(settings, options, splits, histories, bad_images, photos):
    """Export, score and report the trained models; return the rows."""
    if bad_images:
        print(f"skipped images that cannot be read: {', '.join(sorted(bad_images))}")
    models = {name: load_model(_file(options, name)) for name in _names(settings)}
    calibration_people = without_images(splits[0], bad_images)
    files = []
    if "student" in models:
        files = export_files(models["student"], calibration_people, options.out)
    rows = _score(models, files, splits[1], options.out)
    write_json(options.out / "metrics.json", {"rows": rows, "histories": histories})
    galleries = [*galleries_of(models, splits[1]), *photographs_of(models, photos)]
    _report(settings, options, histories, rows, splits[1], galleries)
    return rows


def _names(settings):
    """The models that a run leaves behind."""
    if settings.student is None:
        return ["teacher"]
    return ["teacher", *(["baseline"] if settings.baseline else []), "student"]


def _file(options, name):
    return options.out / f"{name}.keras"


def _open(settings, options, processes):
    """Open the run and return the train and the val people."""
    # Before the output folder is touched: what is given must be there and fit.
    sharded = holds_shards(options.data)
    if sharded:
        splits = processes.together(open_shards, options)
        processes.first(_say_what_is_packed, splits)
        _check_share(processes, splits)
    elif options.data is not None:
        how = {"category": options.category, "flip_pairs": options.flip_pairs}
        load = partial(load_splits, **how)
        splits = processes.together(load, options.data, options.limit)
        processes.first(_say_what_is_there, options.data, how)
        _check_share(processes, splits)
    if options.teacher is not None:
        processes.together(_check_teacher, options.teacher, settings.student)
    config = {"settings": asdict(settings), **options.determining()}
    how = {"resume": options.resume, "overwrite": options.overwrite}
    processes.first(partial(open_run, options.out, config, **how))
    processes.together(check_run, options.out, config)
    if sharded:
        people, val_people = splits
        processes.first(unpack_val, val_people, options)
        splits = people, processes.together(load_unpacked_val, people, options)
    if options.data is None:
        processes.first(render_data, settings, options)
        data = options.out / "data"
        splits = processes.together(load_splits, data, options.limit)
        _check_share(processes, splits)
    return splits


def _check_share(processes, splits):
    """Raise in all processes if there is nobody to train on for one of them."""
    people = splits[0]
    Share(processes=processes.count).check_people(len(people))
    if isinstance(people, ShardedPeople):
        people.check_processes(processes.count)


def _train_models(settings, options, splits, processes):
    """Train and save the models; return their histories and the images skipped."""
    histories, bad_images = {}, set()

    def train(name, trainer, training):
        histories[name], skipped = train_model(
            trainer,
            _file(options, name),
            splits,
            training,
            settings,
            options,
            processes,
        )
        bad_images.update(skipped)

    with strategy_scope(options.strategy), precision(options.precision):
        teacher_file = _file(options, "teacher")
        if options.teacher is not None:
            processes.first(_copy, options.teacher, teacher_file)
        else:
            keras.utils.set_random_seed(options.seed)
            teacher = build_model(settings.teacher, schema=splits[0].schema)
            if settings.student is None:
                _init_backbone(teacher, options)
            train("teacher", PoseTrainer(teacher), settings.teacher_training)
        if settings.student is None:
            return histories, bad_images
        if settings.baseline:
            student = _new_student(settings, options, splits[0].schema)
            trainer = Distiller(student=student)
            train("baseline", trainer, settings.student_training)
        student = _new_student(settings, options, splits[0].schema)
        trainer = Distiller(
            student=student,
            teacher=load_model(teacher_file),
            loss_weights=settings.loss_weights,
        )
        train("student", trainer, settings.student_training)
    return histories, bad_images


def _say_what_is_there(data, how):
    """Print the one line of `distilpose check` on the annotations."""
    print(check_dataset(data, pictures=False, **how).line(), flush=True)


def _say_what_is_packed(splits):
    """Print in one line who is in the shards."""
    named = zip(("train", "val"), splits, strict=True)
    print("; ".join(f"{split}: {each.summary()}" for split, each in named), flush=True)


def _copy(source, target):
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def _check_teacher(path, student):
    """Raise unless a file can teach a named model."""
    teacher = load_model(path)
    if "heatmaps" not in shapes_shown(teacher):
        raise ValueError(f"{path}: expected a teacher, which predicts heatmaps")
    theirs, ours = teacher.pose_config.input_size, MODELS[student].input_size
    if theirs != ours:
        sizes = ["{}x{}".format(*size) for size in (theirs, ours)]
        raise ValueError(
            f"{path}: this teacher sees crops of {sizes[0]}, {student} of {sizes[1]}; "
            "both must see the same"
        )


def _new_student(settings, options, schema):
    """Build a student; all of a run start from the same weights."""
    keras.utils.set_random_seed(options.seed)
    student = build_model(settings.student, schema=schema)
    _init_backbone(student, options)
    return student


def _init_backbone(model, options):
    if options.init_backbone_from is not None:
        report = init_backbone_from(model, options.init_backbone_from)
        print(f"backbone from {options.init_backbone_from}: {report}")


def _score(models, files, people, out):
    """One row for each model and file."""
    rows = []
    for name in [name for name in models if name != "student"]:
        predictor = PosePredictor(models[name])
        rows.append(
            {
                "file": str(out / f"{name}.keras"),
                "runtime": predictor.runtime,
                "precision": "float32",
                **evaluate(predictor, people, progress=True),
            }
        )
    if "student" in models:
        rows += verify(out / "student.keras", files, people, progress=True)
    params = {name: profile(out / f"{name}.keras").trainable_params for name in models}
    for row in rows:
        name = Path(row["file"]).name
        model = name.split(".")[0].split("_")[0]
        row |= {"model": model, "file": name, "params": params[model]}
        row["bytes"] = (out / name).stat().st_size
    return rows


def _report(settings, options, histories, rows, people, galleries):
    title = settings.teacher
    if settings.student is not None:
        title = f"{settings.student} distilled from {title}"
    write_report(
        options.out / "report.html",
        title=title,
        text=f"{len(people)} people of {people.annotation_file.name}.",
        histories=histories,
        rows=[{k: v for k, v in row.items() if k in COLUMNS} for row in rows],
        galleries=galleries,
    )
