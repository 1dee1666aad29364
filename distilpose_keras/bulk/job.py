"""A whole large job: list, take up what was stopped, make the rest."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from distilpose_keras.bulk.inputs import list_pictures
from distilpose_keras.bulk.parts import (
    PartMaker,
    Settings,
    missing_parts,
    open_job,
    part_size,
)
from distilpose_keras.bulk.ray_data import import_ray, make_parts, ray_cluster
from distilpose_keras.tables import import_arrow
from distilpose_keras.types import FilePath


def predict_many(
    inputs: Iterable[str],
    out: FilePath,
    settings: Settings,
    *,
    address: str | None = None,
    workers: int | None = None,
    size: int | None = None,
    on_part: Callable[[dict[str, Any], int], None] = lambda made, left: None,
) -> dict[str, int]:
    """Find the poses of many pictures, in processes that Ray runs.

    ``out`` receives ``_job.json``, the record of the settings, and parts,
    ``part-000001.parquet`` and so on: tables as `write_table` writes them, with a row
    for every picture. A part is whole or absent. Called again after a stop, this makes
    what is missing.

    Args:
        inputs: see `list_pictures`.
        out: folder of the parts; on a cluster, the same for all machines, as are the
            pictures and the model.
        settings: what is found.
        address: see `ray_cluster`.
        workers: see `ray_cluster`.
        size: pictures in a part; by default `part_size`.
        on_part: called with the figures of each part as it ends, and the number of
            pictures that this call has to look at.

    Returns:
        Sums: ``pictures``, ``people`` and ``errors`` of the parts that were made, and
        ``before``, the pictures that were done.

    Raises:
        ValueError: one line, if an input, the folder, the address or the model cannot
            be used.
        ModuleNotFoundError: if Ray or pyarrow is not installed.
    """
    import_ray()
    import_arrow("a large job")
    out = Path(out).absolute()
    pictures = list_pictures(inputs)
    PartMaker(
        out, settings
    )  # a model that cannot be used is named now, not by a worker
    done = open_job(out, settings)
    left = sum(picture.name not in done for picture in pictures)
    totals = {"pictures": 0, "people": 0, "errors": 0, "before": len(pictures) - left}
    if not left:
        return totals
    with ray_cluster(address, workers) as workers:
        size = size or part_size(left, workers)
        parts = missing_parts(out, pictures, done, size=size)
        for made in make_parts(parts, out, settings, workers):
            for name in ("pictures", "people", "errors"):
                totals[name] += int(made[name])
            on_part(made, left)
    return totals
