"""The phone-sized preset: what `distilpose_nano` is, and how it is trained on CPUs.

The backbone and the location maps start from MoveNet Lightning's weights. First only
what follows the trunk learns, then all but the stages that are about edges, at strides
2 and 4, at last on milder crops. Each stage is a training of its own, which resumes
where it was killed; a finished stage is a file.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from distilpose_keras.data.cutouts import CutoutsAndLight
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.transforms import Augmentation
from distilpose_keras.files import atomic_path
from distilpose_keras.models.backbones.lite import freeze_trunk
from distilpose_keras.models.backbones.movenet import STAGES as LAYOUT
from distilpose_keras.models.backbones.movenet import read_movenet_weights
from distilpose_keras.models.graph_files import read_graph_constants
from distilpose_keras.models.model import build_model, load_model
from distilpose_keras.models.presets import MODELS, config_to_dict
from distilpose_keras.recipe.stages import load_splits
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.pose_evaluation import PoseEvaluation
from distilpose_keras.training.run_record import open_run
from distilpose_keras.training.schedules import warmup_cosine
from distilpose_keras.training.trainer import PoseTrainer

NAME = "distilpose_nano"
NANO = MODELS[NAME]

# Milder than the paper's where a small network loses more than it learns; people who
# stand on their heads and hidden joints, which the paper has none of.
AUGMENTATION = Augmentation(
    half_body_probability=0.15,
    scale_spread=0.25,
    rotation_spread=30.0,
    upside_down_probability=0.1,
)
# For the end: people as they come, in boxes as finders draw them.
MILD = Augmentation(
    half_body_probability=0.0,
    scale_spread=0.1,
    rotation_spread=15.0,
    jitter=0.1,
    upside_down_probability=0.05,
)
WARMUP_STEPS = 100
CHECKPOINT_STEPS = 200  # a minute or two on a busy core


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    Attributes:
        name: of its files.
        frozen: stages of the trunk, from the picture up, that stand still.
        epochs: passes over the people.
        learning_rate: peak rate of Adam; a cosine brings it to zero.
        ema_momentum: of the averaged weights.
        augmentation: of its crops.
    """

    name: str
    frozen: int
    epochs: int
    learning_rate: float
    ema_momentum: float
    augmentation: Augmentation = AUGMENTATION


STAGES = (
    Stage("head", frozen=7, epochs=1, learning_rate=3e-4, ema_momentum=0.99),
    Stage("body", frozen=2, epochs=9, learning_rate=1e-4, ema_momentum=0.999),
    Stage("end", 2, 8, 1e-4, ema_momentum=0.999, augmentation=MILD),
)


@dataclass(frozen=True)
class NanoOptions:
    """What a user may ask of the training.

    Attributes:
        data: COCO layout.
        out: output folder.
        movenet: published graph of MoveNet Lightning, TensorFlow.js (``model.json``).
        cache: folder for decoded pictures, shared by runs; None: in ``out``.
        batch_size: people a step.
        limit: people per split; None for all.
        seed: of weights, order and augmentation.
        resume: continue the run in ``out``.
        overwrite: replace the run in ``out``.
    """

    data: Path
    out: Path
    movenet: Path
    cache: Path | None = None
    batch_size: int = 32
    limit: int | None = None
    seed: int = 0
    resume: bool = False
    overwrite: bool = False

    def determining(self):
        """What the result depends on, as JSON values."""
        free = ("out", "cache", "resume", "overwrite")
        return {k: str(v) for k, v in asdict(self).items() if k not in free}


def train_nano(options, stages=STAGES, config=NANO):
    """Train the preset, stage by stage.

    ``out`` receives ``training/STAGE/`` (log, checkpoints), ``STAGE.keras`` of every
    finished stage and at the end ``distilpose_nano.keras``.

    Args:
        options: `NanoOptions`.
        stages: `Stage` list.
        config: configuration of the student.

    Returns:
        The trained `PoseModel`, its AP on val in its metadata.

    Raises:
        ValueError: if the output folder is in use or the data or the weights cannot be
            used; one line that says which.
    """
    config = config.with_overrides(name=NAME)
    splits = load_splits(options.data, options.limit)
    constants = read_graph_constants(options.movenet)
    record = {"options": options.determining(), "model": config_to_dict(config)}
    record["stages"] = [asdict(stage) for stage in stages]
    how = {"resume": options.resume, "overwrite": options.overwrite}
    open_run(options.out, record, **how)
    keras.utils.set_random_seed(options.seed)
    model = build_model(config, schema=splits[0].schema)
    read_movenet_weights(model, constants)
    for stage in stages:
        finished = options.out / f"{stage.name}.keras"
        if finished.is_file():
            model = load_model(finished)
            continue
        train_stage(model, stage, splits, options)
        save(model, finished)
    save(model, options.out / f"{NAME}.keras")
    return model


def train_stage(model, stage, splits, options):
    """Train one stage; the model holds the averaged weights in the end."""
    people, val_people = splits
    freeze_trunk(model, stage.frozen, LAYOUT)
    trainer = PoseTrainer(model)
    with PoseDataset(
        people,
        batch_size=min(options.batch_size, len(people)),
        input_size=model.pose_config.input_size,
        geometry=model.pose_config.geometry,
        augmentation=stage.augmentation,
        seed=options.seed,
        image_dtype="uint8",
        appearance=CutoutsAndLight(),
        cache=options.cache or options.out / "cache",
    ) as batches:
        steps = stage.epochs * len(batches)
        warmup = min(WARMUP_STEPS, steps // 10)
        rate = warmup_cosine(stage.learning_rate, steps, warmup_steps=warmup)
        optimizer = make_optimizer(rate, ema_momentum=stage.ema_momentum)
        trainer.compile(optimizer=optimizer)
        history = train(
            trainer,
            batches,
            epochs=stage.epochs,
            run_dir=options.out / "training" / stage.name,
            resume=options.resume,
            callbacks=[PoseEvaluation(val_people)],
            checkpoint_steps=CHECKPOINT_STEPS,
            verbose=2,
        )
    model.metadata["training_data"] = people.annotation_file.name
    model.metadata["ap"] = history["val_AP"][-1]
    model.metadata["ap_data"] = val_people.annotation_file.name


def save(model, path):
    """Write a model whole or not at all."""
    with atomic_path(path) as temporary:
        model.save(temporary)
