"""Fit a full-size teacher and student to a few people, then export and score them.

To do before a long training: a pair that does not fit 64 people will not learn 150,000.
The people are those with the most labelled keypoints; crops are not augmented, and the
student starts from its teacher's weights where the two agree. All scores are of the
people that were fitted. They say nothing about other people; they tell whether data,
losses and schedules work together, and what each exported file loses.
"""

from distilpose_keras.commands import cli

SUMMARY = "full-size models fitted to a few people, as a check"
EXAMPLES = """examples:
  %(prog)s --data coco --out runs/few
  %(prog)s --data coco --teacher runs/few/teacher.keras \\
      --student-steps 3000 --out runs/longer

Files in --out: teacher.keras, student.keras, the exported files, and metrics.json with
the table's figures, as `distilpose verify` writes them.
"""
WARMUP_STEPS = 100


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    number = {"type": cli.positive_int, "metavar": "N"}
    add(
        "--data",
        required=True,
        type=cli.input_folder,
        metavar="DIR",
        help="data set in COCO's layout",
    )
    add("--split", choices=("train", "val"), default="train")
    add("--people", **number, default=64, help="64")
    add("--student", default="distilpose_s", metavar="NAME", help="distilpose_s")
    add("--teacher-model", default="tokenpose_stemnet", metavar="NAME")
    add(
        "--teacher",
        type=cli.input_file,
        metavar="FILE",
        help="fitted .keras; default: fit it",
    )
    add("--teacher-steps", **number, default=3600, help="3600")
    add("--student-steps", **number, default=1200, help="1200")
    add("--batch-size", **number, default=4, help="4")
    add(
        "--learning-rate",
        type=cli.positive_float,
        default=1e-3,
        metavar="X",
        help="of the teacher, 1e-3",
    )
    add("--seed", type=int, default=0, metavar="N")
    add(
        "--out",
        required=True,
        type=cli.output_folder,
        metavar="DIR",
        help="folder of the results",
    )
    add("--overwrite", action="store_true", help="replace the files in --out")


def run(arguments):
    """Fit, export, score and print the table."""
    cli.refuse_finished(arguments.out, overwrite=arguments.overwrite)
    import keras

    from distilpose_keras.commands.tables import print_rows
    from distilpose_keras.data.coco import coco_paths, load_people
    from distilpose_keras.distillation.distiller import Distiller
    from distilpose_keras.export.calibration import MIN_CROPS
    from distilpose_keras.export.verify import verify
    from distilpose_keras.files import write_json
    from distilpose_keras.models.model import build_model, load_model
    from distilpose_keras.recipe.stages import export_files
    from distilpose_keras.report.rows import FIGURES
    from distilpose_keras.training.trainer import PoseTrainer

    people = load_people(*coco_paths(arguments.data, arguments.split))
    people = most_labelled(people, arguments.people)
    if len(people) < MIN_CROPS:  # known before, not after the training
        raise ValueError(
            f"exported files are calibrated on at least {MIN_CROPS} people. "
            f"Received: {len(people)} in {people.annotation_file}"
        )
    out = arguments.out

    def build(name):
        keras.utils.set_random_seed(arguments.seed)
        return build_model(name, schema=people.schema)

    def make_teacher():
        if arguments.teacher:
            return load_model(arguments.teacher)
        return build(arguments.teacher_model)

    # Known before the training too: whether the two go together.
    Distiller(student=build(arguments.student), teacher=make_teacher())
    teacher = make_teacher()
    if not arguments.teacher:
        trainer, steps = PoseTrainer(teacher), arguments.teacher_steps
        fit(trainer, people, out / "teacher.keras", arguments, steps=steps)
    student = build(arguments.student)
    start_from(student, teacher)
    trainer, steps = (
        Distiller(student=student, teacher=teacher),
        arguments.student_steps,
    )
    fit(trainer, people, out / "student.keras", arguments, steps=steps, rate_factor=0.5)
    files = export_files(student, people, out)
    rows = verify(out / "student.keras", files, people, progress=True)
    write_json(out / "metrics.json", rows)
    print_rows(rows, FIGURES)


def most_labelled(people, count):
    """Return the people with the most labelled keypoints, the larger ones first."""
    labelled = (people.visibility > 0).sum(axis=1)
    order = sorted(range(len(people)), key=lambda i: (-labelled[i], -people.areas[i]))
    return people.take(sorted(order[:count]))


def start_from(student, teacher):
    """Copy the weights that two models have in common, by name and shape."""

    def name(weight):  # heads differ in their name, not in their parts
        return weight.path.replace("-tokenhead", "-tokenpose"), tuple(weight.shape)

    known = {name(weight): weight for weight in teacher.weights}
    for weight in student.weights:
        if name(weight) in known:
            weight.assign(known[name(weight)])


def fit(trainer, people, file, arguments, *, steps, rate_factor=1.0):
    """Train on the crops of some people, held in memory, and save the model."""
    import numpy as np
    from rich.progress import track

    from distilpose_keras.data.dataset import PoseDataset
    from distilpose_keras.evaluation import evaluate
    from distilpose_keras.files import atomic_path
    from distilpose_keras.training.optimizers import make_optimizer
    from distilpose_keras.training.schedules import warmup_cosine
    from distilpose_keras.training.workarounds import keep_freed_memory

    model = trainer.model
    with PoseDataset(
        people,
        batch_size=len(people),
        input_size=model.pose_config.input_size,
        geometry=model.pose_config.geometry,
        augmentation=None,
        shuffle=False,
        image_dtype="uint8",
    ) as whole:
        images, targets = whole[0]
    rate = arguments.learning_rate * rate_factor
    warmup = min(WARMUP_STEPS, steps // 10)
    schedule = warmup_cosine(rate, steps, warmup_steps=warmup)
    trainer.compile(optimizer=make_optimizer(schedule))
    keep_freed_memory()
    random = np.random.default_rng(arguments.seed)
    size = min(arguments.batch_size, len(people))
    order = []
    for _ in track(range(steps), description=file.stem):
        if len(order) < size:
            order = list(random.permutation(len(people)))
        chosen, order = np.array(order[:size]), order[size:]
        batch = {name: array[chosen] for name, array in targets.items()}
        logs = trainer.train_on_batch(images[chosen], batch, return_dict=True)
    figures = evaluate(model, people)
    model.metadata["training_data"] = people.annotation_file.name
    model.metadata["ap"] = figures["AP"]
    model.metadata["ap_data"] = f"{len(people)} people of {people.annotation_file.name}"
    with atomic_path(file) as temporary:
        model.save(temporary)
    print(f"{file.name}: mean loss {logs['loss']:.5f}, AP {100 * figures['AP']:.1f}")
