"""What `distilpose predict --engine ray` does: very many pictures, into Parquet."""

import time
from pathlib import Path

from distilpose_keras.commands import cli
from distilpose_keras.commands.progress import pictures_bar

# What there is for the pictures of one process only.
NOT_BY_RAY = (
    *("frames", "fps", "track", "detect_every", "smooth"),
    *("save_crops", "table", "show"),
)


def add_arguments(add):
    """Add the arguments of large jobs."""
    add("--engine", choices=("ray",), help="for very many pictures, see docs/scale.md")
    add(
        "--address",
        metavar="HOST:PORT",
        help="with --engine ray: head of a cluster, or auto (default: this machine)",
    )
    add(
        "--workers",
        type=cli.positive_int,
        metavar="N",
        help="with --engine ray: processes (default: one per core)",
    )


def run(arguments):
    """Find the poses of the pictures that are not done, and say how many there were."""
    given = [name for name in NOT_BY_RAY if getattr(arguments, name)]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(f"--engine ray writes Parquet tables: it has no {flags}")
    from distilpose_keras.bulk.job import predict_many
    from distilpose_keras.bulk.parts import Settings, remove_job

    model, inputs = cli.split_model(arguments.inputs)
    settings = Settings(
        str(Path(model).absolute()),
        boxes=arguments.boxes and str(arguments.boxes.absolute()),
        whole_image=arguments.whole_image,
        least_score=arguments.conf,
        flip=arguments.flip,
        dark=arguments.dark,
    )
    if arguments.overwrite:
        remove_job(arguments.out)
    began = time.perf_counter()
    with pictures_bar() as bar:
        task = bar.add_task("", total=None)

        def advance(made, left):
            bar.update(task, advance=int(made["pictures"]), total=left)

        totals = predict_many(
            inputs,
            arguments.out,
            settings,
            address=arguments.address,
            workers=arguments.workers,
            on_part=advance,
        )
    rate = totals["pictures"] / (time.perf_counter() - began)
    print(
        f"{totals['people']} people in {totals['pictures']} pictures ({rate:.1f} a "
        f"second), {totals['errors']} of which cannot be read; {totals['before']} "
        f"pictures were done before; wrote {arguments.out}"
    )
