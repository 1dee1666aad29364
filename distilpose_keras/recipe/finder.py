"""The person finder: how `person_finder` is trained on CPUs.

The trunk starts from MoveNet Lightning's weights. First only what is new learns, on
small scenes; then all but the stages at strides 2 and 4, on larger ones. Each stage is
a training of its own, which resumes where it was killed; a finished stage is a file.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras

from distilpose_keras.box_scoring import score_finder
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.scenes import SceneDataset
from distilpose_keras.detection import PersonFinder
from distilpose_keras.files import atomic_path
from distilpose_keras.losses.middles import MiddleLoss
from distilpose_keras.models.backbones.lite import freeze_trunk
from distilpose_keras.models.backbones.movenet import read_movenet_weights
from distilpose_keras.models.finder import TRUNKS, FinderConfig, FinderModel
from distilpose_keras.models.graph_files import read_graph_constants
from distilpose_keras.training.loop import train
from distilpose_keras.training.optimizers import make_optimizer
from distilpose_keras.training.run_record import open_run
from distilpose_keras.training.schedules import warmup_cosine
from distilpose_keras.training.trainer import PoseTrainer

NAME = "person_finder"
FINDER = FinderConfig(NAME, trunk="mobilenetv2")
WARMUP_STEPS = 100
CHECKPOINT_STEPS = 50
EPOCH_STEPS = 100  # scenes are drawn anew for ever: an epoch is what the log shows
CLIP_NORM = 10.0
LOWEST = 0.05  # score of the boxes among which the threshold is chosen
MEASURED = 800  # training pictures that choose it


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    Attributes:
        name: of its files.
        size: (height, width) of its scenes.
        frozen: stages of the trunk, from the picture up, that stand still.
        batch_size: scenes a step.
        epochs: of `EPOCH_STEPS` steps.
        learning_rate: peak rate of Adam; a cosine brings it to zero.
        ema_momentum: of the averaged weights.
    """

    name: str
    size: tuple[int, int]
    frozen: int
    batch_size: int
    epochs: int
    learning_rate: float
    ema_momentum: float


STAGES = (
    Stage("head", (192, 256), 5, 16, 4, 2e-3, 0.98),
    Stage("large", (288, 384), 2, 8, 12, 4e-4, 0.997),
    Stage("again", (288, 384), 2, 8, 12, 3e-4, 0.998),
)


@dataclass(frozen=True)
class FinderOptions:
    """What a user may ask of the training.

    Attributes:
        data: COCO layout; the boxes of all people count, not only of those with
            keypoints.
        out: output folder.
        movenet: published graph of MoveNet Lightning, TensorFlow.js (``model.json``).
        longer: factor of all stages' epochs.
        seed: of weights and scenes.
        resume: continue the run in ``out``.
        overwrite: replace the run in ``out``.
    """

    data: Path
    out: Path
    movenet: Path
    longer: int = 1
    seed: int = 0
    resume: bool = False
    overwrite: bool = False

    def determining(self):
        """What the result depends on, as JSON values."""
        free = ("out", "resume", "overwrite")
        return {k: str(v) for k, v in asdict(self).items() if k not in free}


def train_finder(options, stages=STAGES, config=FINDER):
    """Train the person finder, stage by stage.

    ``out`` receives ``training/STAGE/`` (log, checkpoints), ``STAGE.keras`` of every
    finished stage and at the end ``person_finder.keras``.

    Args:
        options: `FinderOptions`.
        stages: `Stage` list.
        config: `FinderConfig`.

    Returns:
        The trained `FinderModel`; in its metadata the threshold at which 0.6 of its
        boxes on training pictures are right, and precision and recall at that threshold
        on the validation pictures.

    Raises:
        ValueError: if the output folder is in use or the data or the weights cannot be
            used; one line that says which.
    """
    people, val_people = (
        load_people(*coco_paths(options.data, split), require_keypoints=False)
        for split in ("train", "val")
    )
    stages = [replace(s, epochs=s.epochs * options.longer) for s in stages]
    constants = read_graph_constants(options.movenet)
    record = {"options": options.determining(), "model": asdict(config)}
    record["stages"] = [asdict(stage) for stage in stages]
    how = {"resume": options.resume, "overwrite": options.overwrite}
    open_run(options.out, record, **how)
    keras.utils.set_random_seed(options.seed)
    model = FinderModel(config)
    read_movenet_weights(model, constants)
    for stage in stages:
        finished = options.out / f"{stage.name}.keras"
        if finished.is_file():
            model = keras.saving.load_model(finished, compile=False)
            continue
        train_stage(model, stage, people, options)
        save(model, finished)
    measure(model, people, val_people)
    save(model, options.out / f"{NAME}.keras")
    return model


def measure(model, people, val_people):
    """Choose the threshold on training pictures; note how well it does on others."""
    finder = PersonFinder(model, threshold=LOWEST)
    matches = score_finder(finder.find, people, limit=MEASURED, progress=True)
    threshold = round(matches.threshold(), 3)
    matches = score_finder(finder.find, val_people, progress=True)
    precision, recall = matches.at(threshold)
    model.metadata |= {
        "training_data": people.annotation_file.name,
        "threshold": threshold,
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "measured_on": val_people.annotation_file.name,
    }


def train_stage(model, stage, people, options):
    """Train one stage; the model holds the averaged weights in the end."""
    resized = FinderModel(replace(model.finder_config, input_size=stage.size))
    resized.set_weights(model.get_weights())
    layout = TRUNKS[resized.finder_config.trunk][0]
    freeze_trunk(resized, stage.frozen, layout)
    trainer = PoseTrainer(resized, MiddleLoss())
    batches = SceneDataset(
        people,
        input_size=stage.size,
        batch_size=stage.batch_size,
        batches=EPOCH_STEPS,
        seed=options.seed,
    )
    steps = stage.epochs * EPOCH_STEPS
    warmup = min(WARMUP_STEPS, steps // 10)
    rate = warmup_cosine(stage.learning_rate, steps, warmup_steps=warmup)
    average = {"ema_momentum": stage.ema_momentum}
    trainer.compile(optimizer=make_optimizer(rate, clip_norm=CLIP_NORM, **average))
    train(
        trainer,
        batches,
        epochs=stage.epochs,
        run_dir=options.out / "training" / stage.name,
        resume=options.resume,
        checkpoint_steps=CHECKPOINT_STEPS,
        verbose=2,
    )
    freeze_trunk(resized, 0)  # weights are listed in the order of a model as built
    model.set_weights(resized.get_weights())


def save(model, path):
    """Write a model whole or not at all."""
    with atomic_path(path) as temporary:
        model.save(temporary)
