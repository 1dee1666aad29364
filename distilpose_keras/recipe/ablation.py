"""The ablations of the paper, in small: which part of the distillation does what."""

from dataclasses import dataclass, field

import keras
import numpy as np

from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.distillation.distiller import Distiller
from distilpose_keras.evaluation import evaluate
from distilpose_keras.models.model import build_model
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.schedules import warmup_cosine
from distilpose_keras.training.trainer import PoseTrainer

# Terms of the loss that need a teacher, by the paper's names.
TERMS = {
    "L_CS": "score",
    "L_SH": "simulated_heatmap",
    "L_KT": "keypoint_token",
    "L_VT": "visual_token",
}


@dataclass(frozen=True)
class Model:
    """A model of an ablation.

    Attributes:
        name: in `MODELS`.
        overrides: other values for some of its configuration's fields.
    """

    name: str
    overrides: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        labels: what stands in the columns before the AP.
        student: `Model`.
        teacher: `Model`, or None for plain regression.
        loss_weights: of `Distiller`, beside its defaults.
    """

    labels: tuple[str, ...]
    student: Model
    teacher: Model | None
    loss_weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        title: what it shows.
        columns: headings of the labels.
        rows: its `Row`s.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def only(*terms):
    """Loss weights that switch off every term of a teacher but these."""
    return {name: 0.0 for term, name in TERMS.items() if term not in terms}


_LARGER = {
    "backbone": {"width": 48, "blocks": 4, "block_width": 32},
    "transformer": {"layers": 6},
}
_STUDENT, _LARGE_STUDENT = Model("demo_student"), Model("demo_student", _LARGER)
_TEACHER, _LARGE_TEACHER = Model("demo_teacher"), Model("demo_teacher", _LARGER)
_SQUARE = {"input_size": (64, 64)}  # a ResNet's strides divide it
_DEEPPOSE = Model("deeppose_resnet50_distilled", _SQUARE)
_SIMPLE_BASELINE = Model("simple_baseline_resnet50", {**_SQUARE, "sigma": 1.5})


def _terms_row(*terms):
    marks = tuple("x" if term in terms else "" for term in TERMS)
    return Row(marks, _STUDENT, _TEACHER if terms else None, only(*terms))


TABLES = {
    "4": Table(
        "Loss terms",
        tuple(TERMS),
        (_terms_row(), *(_terms_row(term) for term in TERMS), _terms_row(*TERMS)),
    ),
    "5": Table(
        "Sizes of student and teacher",
        ("student", "teacher"),
        tuple(
            Row((size, guide), student, teacher)
            for size, student in (("S", _STUDENT), ("L", _LARGE_STUDENT))
            for guide, teacher in (
                ("none", None),
                ("small", _TEACHER),
                ("large", _LARGE_TEACHER),
            )
        ),
    ),
    "6": Table(
        "Simulated heatmaps between convolutional networks",
        ("student", "teacher"),
        (
            Row(("DeepPose", "none"), _DEEPPOSE, None),
            Row(
                ("DeepPose", "SimpleBaselines"),
                _DEEPPOSE,
                _SIMPLE_BASELINE,
                only("L_SH", "L_CS"),
            ),
        ),
    ),
    "B": Table(
        "Sigmas of a simulated heatmap",
        ("sigmas",),
        tuple(
            Row((str(n),), Model("demo_student", {"num_sigmas": n}), _TEACHER)
            for n in (1, 2)
        ),
    ),
}


def run_table(table, splits, settings, *, seeds, progress=None):
    """Train and score every row of a table, once for each seed.

    Args:
        table: `Table`.
        splits: train and val `PeopleIndex`.
        settings: `RecipeSettings`, of which the trainings and the augmentation are
            used.
        seeds: seeds; all rows start from the same ones.
        progress: function that is told what is being trained, or None.

    Returns:
        List of dicts, one per row: ``labels`` and ``AP``, a list with one value per
        seed.
    """
    results = [{"labels": list(row.labels), "AP": []} for row in table.rows]
    for seed in seeds:
        teachers = {}
        for row, result in zip(table.rows, results, strict=True):
            teacher = None
            if row.teacher is not None:
                key = repr(row.teacher)
                if key not in teachers:
                    _tell(progress, f"seed {seed}: teacher {row.teacher.name}")
                    teachers[key] = _train_teacher(row.teacher, splits, settings, seed)
                teacher = teachers[key]
            labels = dict(zip(table.columns, row.labels, strict=True))
            _tell(progress, f"seed {seed}: {labels}")
            student = _train_student(row, teacher, splits, settings, seed)
            result["AP"].append(evaluate(student, splits[1])["AP"])
    return results


def mean_and_spread(values):
    """Mean and sample standard deviation (0 for one value) of AP values, in points."""
    points = 100 * np.asarray(values)
    return points.mean(), points.std(ddof=1) if len(points) > 1 else 0.0


def _tell(progress, text):
    if progress is not None:
        progress(text)


def _build(model, splits):
    return build_model(model.name, schema=splits[0].schema, **model.overrides)


def _train_teacher(model, splits, settings, seed):
    keras.utils.set_random_seed(seed)
    trainer = PoseTrainer(_build(model, splits))
    return _fit(trainer, splits[0], settings.teacher_training, settings, seed)


def _train_student(row, teacher, splits, settings, seed):
    keras.utils.set_random_seed(seed)
    weights = {**settings.loss_weights, **row.loss_weights}
    trainer = Distiller(
        student=_build(row.student, splits), teacher=teacher, loss_weights=weights
    )
    return _fit(trainer, splits[0], settings.student_training, settings, seed)


def _fit(trainer, people, training, settings, seed):
    model = trainer.model
    with PoseDataset(
        people,
        batch_size=min(training.batch_size, len(people)),
        input_size=model.pose_config.input_size,
        geometry=model.pose_config.geometry,
        augmentation=Augmentation(**settings.augmentation),
        seed=seed,
        image_dtype="uint8",
    ) as batches:
        total = training.epochs * len(batches)
        warmup = min(training.warmup_steps, total // 10)
        rate = warmup_cosine(training.learning_rate, total, warmup_steps=warmup)
        trainer.compile(optimizer=make_optimizer(rate))
        trainer.fit(batches, epochs=training.epochs, verbose=0)
    return model
