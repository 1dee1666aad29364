"""The settings of a run: the paper's, and a demonstration that two CPU cores train."""

from dataclasses import dataclass, field, replace

from distilpose_keras.models.presets import MODELS
from distilpose_keras.synthetic.casting import UPRIGHT


@dataclass(frozen=True)
class TrainingSettings:
    """How one model is trained.

    Attributes:
        epochs: passes over the training set.
        learning_rate: peak rate of Adam.
        warmup_steps: steps of linear warm-up from near zero; at most a tenth of all.
        batch_size: people per step, over all devices together.
        drop_epochs: epochs at which the rate is multiplied by 0.1; None follows a
            cosine from the peak to zero.
        ema_momentum: momentum of the averaged weights, which are the ones that are
            evaluated and saved; None keeps the trained weights themselves.
        evaluate_every: epochs between two evaluations.
    """

    epochs: int
    learning_rate: float
    warmup_steps: int
    batch_size: int
    drop_epochs: tuple[int, ...] | None = None
    ema_momentum: float | None = None
    evaluate_every: int = 10


@dataclass(frozen=True)
class RecipeSettings:
    """One teacher, one student, and how both are trained and compared.

    Attributes:
        student: name in `MODELS` of the student; None trains the teacher alone.
        teacher: name in `MODELS` of the teacher.
        student_training: of the student.
        teacher_training: of the teacher, where none is given.
        loss_weights: of `Distiller`, beside its defaults.
        baseline: also train the student without its teacher, for comparison.
        augmentation: keyword arguments of `Augmentation`, beside the paper's.
        appearance: also change colours and hide rectangles (`AppearanceAugmentation`).
        synthetic: keyword arguments of `render_dataset` where no data is given.
    """

    student: str | None
    teacher: str
    student_training: TrainingSettings
    teacher_training: TrainingSettings
    loss_weights: dict[str, float] = field(default_factory=dict)
    baseline: bool = False
    augmentation: dict = field(default_factory=dict)
    appearance: bool = False
    synthetic: dict = field(default_factory=dict)


# Section 4.1.2 of the paper: Adam, 1e-3, 500 steps of warm-up, 512 people a step,
# 300 epochs with drops at 200 and 260.
PAPER_TRAINING = TrainingSettings(
    epochs=300,
    learning_rate=1e-3,
    warmup_steps=500,
    batch_size=512,
    drop_epochs=(200, 260),
)


def paper_recipe(student, teacher="tokenpose_hrnet_w48"):
    """Return the paper's settings for a student, or None, and its teacher."""
    return RecipeSettings(
        student=student,
        teacher=teacher,
        student_training=PAPER_TRAINING,
        teacher_training=PAPER_TRAINING,
        synthetic={"train_images": 20_000, "val_images": 1_000},
    )


# A short training learns little from crops that stray far.
DEMO_AUGMENTATION = {
    "half_body_probability": 0.0,
    "scale_spread": 0.15,
    "rotation_spread": 15.0,
    "rotation_probability": 0.5,
    "jitter_probability": 0.0,
}


def demo_recipe():
    """Return settings that train, compare and export on two CPU cores in minutes.

    The people are `UPRIGHT`: what a few minutes of training can learn.
    """
    training = TrainingSettings(
        epochs=16,
        learning_rate=3e-3,
        warmup_steps=200,
        batch_size=32,
        evaluate_every=5,
    )
    return RecipeSettings(
        student="demo_student",
        teacher="demo_teacher",
        teacher_training=training,
        student_training=replace(training, epochs=11),
        baseline=True,
        augmentation=DEMO_AUGMENTATION,
        synthetic={"train_images": 6000, "val_images": 400, "casting": UPRIGHT},
    )


# Students that were published with a teacher; others may be given one.
PAPER_TEACHER = "tokenpose_hrnet_w48"
_TEACHERS = {
    "distilpose_s": PAPER_TEACHER,
    "distilpose_l": PAPER_TEACHER,
    "demo_student": "demo_teacher",
    "deeppose_resnet50_distilled": "simple_baseline_resnet50",  # the paper's Table 6
}


def recipe_of(model, *, demo=False, given_teacher=False):
    """Return the settings that train a named model.

    Args:
        model: name in `MODELS`. A student that was published with a teacher is
            trained under it, any other model alone.
        demo: train the demonstration's small student or teacher instead.
        given_teacher: a trained teacher is at hand.

    Raises:
        ValueError: if the name is unknown, or a model that is trained alone is to have
            a teacher.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}; known: {', '.join(MODELS)}")
    teacher = _TEACHERS.get(model, PAPER_TEACHER if given_teacher else None)
    if teacher is not None and MODELS[model].distillable:
        return demo_recipe() if demo else paper_recipe(model, teacher)
    if given_teacher:
        raise ValueError(f"{model} is trained alone: it has no use for --teacher")
    return replace(
        demo_recipe() if demo else paper_recipe(None, model),
        student=None,
        baseline=False,
    )


def with_changes(settings, *, epochs=None, batch_size=None, appearance=False):
    """Return the settings with what a user asked for; None changes nothing.

    Args:
        settings: `RecipeSettings`.
        epochs: of every model that is trained.
        batch_size: people per step, over all devices together.
        appearance: change colours and hide rectangles too.
    """
    changes = {"epochs": epochs, "batch_size": batch_size}
    changes = {name: value for name, value in changes.items() if value is not None}
    return replace(
        settings,
        student_training=replace(settings.student_training, **changes),
        teacher_training=replace(settings.teacher_training, **changes),
        appearance=appearance,
    )
