"""Train a model: a student under its teacher, or a teacher on its own.

Without arguments: renders a synthetic data set, trains a small teacher and a small
student, without and with the teacher, exports the student, scores every file and writes
a report. With --data: the recipe of the paper (Ye et al., CVPR 2023).
"""

import os
from pathlib import Path

from distilpose_keras.commands import cli

SUMMARY = "a student under its teacher, or a teacher; the demonstration"
EXAMPLES = """examples:
  %(prog)s
  %(prog)s --photos holidays
  %(prog)s --data coco --out runs/coco_s
  %(prog)s --model tokenpose_hrnet_w48 --data coco --out runs/teacher
  %(prog)s --data coco --teacher runs/teacher/teacher.keras --resume
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.epilog = EXAMPLES
    _add_data(parser.add_argument_group("data").add_argument)
    _add_models(parser.add_argument_group("models").add_argument)
    _add_run(parser.add_argument_group("run").add_argument)


def _add_data(add):
    add(
        "--data",
        type=cli.folder_or_url,
        metavar="DIR",
        help="COCO layout: annotations/person_keypoints_{train,val}2017.json, "
        "train2017/, val2017/; or shards of `distilpose pack`, which may be a URL "
        "(default: render a synthetic set)",
    )
    add("--limit", type=cli.positive_int, metavar="N", help="use N people per split")
    add("--category", **cli.CATEGORY)
    add("--flip-pairs", **cli.FLIP_PAIRS)
    add(
        "--workers",
        type=cli.positive_int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="loading processes (default: one per core)",
    )
    add(
        "--skip-bad-images",
        action="store_true",
        help="go on past missing or truncated images instead of stopping",
    )
    add(
        "--appearance",
        action="store_true",
        help="also jitter colours and hide rectangles; not in the paper, needs the "
        "TensorFlow backend and keras-cv",
    )


def _add_models(add):
    add(
        "--model",
        default="distilpose_s",
        metavar="NAME",
        help="what to train, see `distilpose models` (default: distilpose_s)",
    )
    add(
        "--preset",
        choices=("demo", "paper"),
        help="small models, or the paper's (default: paper with --data, else demo)",
    )
    add(
        "--teacher",
        type=cli.trained_model,
        metavar="FILE",
        help="trained .keras or preset; default: train it",
    )
    add(
        "--init-backbone-from",
        type=cli.input_file,
        metavar="FILE",
        help="start the model's backbone from a .keras, .pth, .npz, .safetensors",
    )
    add(
        "--epochs",
        type=cli.positive_int,
        metavar="N",
        help="epochs of every model that is trained",
    )
    add(
        "--batch-size",
        type=cli.positive_int,
        metavar="N",
        help="over all devices together",
    )
    add("--seed", type=int, default=0, metavar="N")


def _add_run(add):
    add(
        "--out",
        type=cli.output_folder,
        metavar="DIR",
        help="folder of the run (default: runs/NAME)",
    )
    add(
        "--photos",
        type=cli.input_folder,
        metavar="DIR",
        help="pictures of people that the report shows with their poses, too",
    )
    add("--resume", action="store_true", help="continue the run in --out")
    add("--overwrite", action="store_true", help="replace the run in --out")
    add(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default="float32",
    )
    add(
        "--strategy",
        choices=("single", "mirrored", "data_parallel", "multi_worker"),
        default="single",
        help="mirrored: all GPUs by TensorFlow; data_parallel: by JAX; multi_worker: "
        "several machines, see docs/many_machines.md",
    )


def run(arguments):
    """Train, score, export and report; print the table."""
    values = vars(arguments).copy()
    model, preset, epochs, batch_size, appearance = map(
        values.pop, ("model", "preset", "epochs", "batch_size", "appearance")
    )
    demo = preset == "demo" or (preset is None and arguments.data is None)
    values["out"] = arguments.out or Path("runs") / model
    from distilpose_keras.recipe.settings import recipe_of, with_changes

    settings = with_changes(
        recipe_of(model, demo=demo, given_teacher=arguments.teacher is not None),
        epochs=epochs,
        batch_size=batch_size,
        appearance=appearance,
    )
    if demo:
        run_operators_side_by_side()
        if model not in (settings.student, settings.teacher):
            print(f"the demonstration's models stand in for {model} (--data trains it)")
    if appearance:
        from distilpose_keras.data.appearance import AppearanceAugmentation

        AppearanceAugmentation()  # what it lacks is said before a folder is made
    from distilpose_keras.commands.tables import print_rows
    from distilpose_keras.recipe.options import RunOptions
    from distilpose_keras.recipe.run import run_recipe

    options = RunOptions(**values)
    rows = run_recipe(settings, options)
    if rows:  # none in a process that only helped another one
        print_rows(rows)
        print(f"report: {options.out / 'report.html'}")


def run_operators_side_by_side():
    """Let TensorFlow run two operators at a time, each on half of the cores.

    Threads that share one operator of a small model wait more than they work: on two
    cores a step takes 0.8 of the time, on two busy cores half of it.
    """
    half = max((os.cpu_count() or 1) // 2, 1)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(half))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
