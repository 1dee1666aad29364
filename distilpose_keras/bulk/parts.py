"""The parts of a large job: what is finished, what is missing, and how one is made."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from distilpose_keras.bulk.inputs import Listed, image_ids, read_pictures
from distilpose_keras.files import remove_partial, write_json
from distilpose_keras.tables import import_arrow, write_table
from distilpose_keras.types import FilePath, Json

RECORD = "_job.json"  # readers of a folder of Parquet pass over what begins so
PART = 500  # pictures in a part at most: a minute or less of one core
PARTS_PER_WORKER = 4  # at least, so that all end at about the same time


class Part(NamedTuple):
    """Some pictures of a job, whose poses become one file.

    Attributes:
        number: of the file, from 1.
        pictures: what `list_pictures` returned of them.
        ids: number of each picture.
    """

    number: int
    pictures: list[Listed]
    ids: list[int]


def part_of_values(number: int, pictures: Iterable[Any], ids: Iterable[int]) -> Part:
    """Return a part whose tuples an engine has made into lists."""
    return Part(int(number), [Listed(*each) for each in pictures], [*map(int, ids)])


@dataclass(frozen=True)
class Settings:
    """What the rows of a job depend on, beside its pictures.

    Attributes:
        model: absolute path of the model's file.
        boxes: absolute path of a file of person boxes, or None.
        whole_image: one person fills each picture.
        least_score: people with a lower box score are left out; None for none.
        flip: average with the mirror.
        dark: see `PosePredictor`.
    """

    model: str
    boxes: str | None = None
    whole_image: bool = False
    least_score: float | None = None
    flip: bool = False
    dark: bool | None = None

    def record(self) -> Json:
        """Return the settings as JSON values, files by their content."""
        files = {name: getattr(self, name) for name in ("model", "boxes")}
        digests = {name: path and _sha256(path) for name, path in files.items()}
        return {**asdict(self), **digests}


def open_job(folder: FilePath, settings: Settings) -> set[str]:
    """Begin a job in a folder, or take up the one that was stopped there.

    Args:
        folder: of the parts.
        settings: of the job; the same as before.

    Returns:
        The names of the pictures that are done.

    Raises:
        ValueError: if the folder holds something else, a job with other settings, or
            a part that is damaged.
    """
    folder, config = Path(folder), settings.record()
    record = folder / RECORD
    if record.exists():
        try:
            before = json.loads(record.read_text())
        except ValueError:
            before = None
        if before != config:
            raise ValueError(
                f"the job in {folder} was started with another model or other options: "
                "use the same, or another folder"
            )
        remove_partial(folder)
        return finished(folder)
    if folder.exists() and any(not p.name.startswith(".") for p in folder.iterdir()):
        raise ValueError(f"{folder} holds no job: it has no {RECORD}")
    write_json(record, config)
    return set()


def remove_job(folder: FilePath) -> None:
    """Remove the parts and the record of a job, if there is one."""
    if (Path(folder) / RECORD).exists():
        for path in [Path(folder) / RECORD, *part_files(folder)]:
            path.unlink()


def part_files(folder: FilePath) -> list[Path]:
    """Return the files of the finished parts."""
    return sorted(Path(folder).glob("part-*.parquet"))


def finished(folder: FilePath) -> set[str]:
    """Return the names of the pictures in the finished parts."""
    arrow, parquet = import_arrow("a large job")
    names = set()
    for path in part_files(folder):
        try:
            column = parquet.read_table(path, columns=["file_name"]).column(0)
        except (arrow.ArrowException, OSError) as error:
            raise ValueError(f"{path} is damaged ({error}): remove it") from None
        names.update(column.unique().to_pylist())
    return names


def missing_parts(
    folder: FilePath, pictures: list[Listed], done: set[str], *, size: int
) -> list[Part]:
    """Cut the pictures that are not done into parts.

    Args:
        folder: of the parts; new ones have numbers after those in it.
        pictures: all of the job.
        done: names of those that are done.
        size: pictures in a part.
    """
    left = [
        (picture, number)
        for picture, number in zip(pictures, image_ids(pictures), strict=True)
        if picture.name not in done
    ]
    numbers = [int(path.stem.removeprefix("part-")) for path in part_files(folder)]
    first = max(numbers, default=0) + 1
    cuts = range(0, len(left), size)
    return [
        Part(number, *map(list, zip(*left[cut : cut + size], strict=True)))
        for number, cut in enumerate(cuts, first)
    ]


def part_size(pictures: int, workers: int) -> int:
    """Return how many pictures a part should have."""
    return min(PART, max(1, -(-pictures // (PARTS_PER_WORKER * workers))))


class PartMaker:
    """Finds the poses of a part's pictures and writes them, in one process.

    A part's file is whole or absent, and has the same name whoever makes it: one that
    is made again, after its maker was killed, takes its place.
    """

    def __init__(self, folder: FilePath, settings: Settings) -> None:
        """Open the models."""
        from distilpose_keras.detection import BoxFile, PersonFinder, whole_image
        from distilpose_keras.predictor import PosePredictor
        from distilpose_keras.video.annotate import Annotator

        self.folder = Path(folder)
        if settings.boxes:
            find = _by_file_name(BoxFile(settings.boxes).find)
        elif settings.whole_image:
            find = _of_image(whole_image)
        else:
            find = _of_image(PersonFinder(num_threads=1).find)
        self._annotator = Annotator(
            PosePredictor(settings.model, num_threads=1, dark=settings.dark),
            find,
            flip=settings.flip,
            least_score=settings.least_score,
        )

    def make(self, part: Part) -> dict[str, Any]:
        """Write ``part-NUMBER.parquet``; return what is in it, in figures."""
        path = self.folder / f"part-{part.number:06d}.parquet"
        totals = {"part": part.number, "pictures": 0, "people": 0, "errors": 0}
        records = self._records(part, totals)
        names = self._annotator.predictor.schema.names
        write_table(path, records, names, every_picture=True)
        return totals

    def _records(self, part, totals):
        stages = self._annotator.find_people, self._annotator.find_poses
        for picture in read_pictures(part.pictures, part.ids):
            item = picture
            for stage in stages:
                item = stage(item)
            record = self._annotator.record(item)
            totals["pictures"] += 1
            totals["people"] += len(record.get("people", ()))
            totals["errors"] += "error" in record
            yield record


def _by_file_name(find):
    """Look boxes up by the file name alone, as `distilpose predict` does."""
    return lambda picture: find(
        replace(picture, file_name=Path(picture.file_name).name)
    )


def _of_image(find):
    return lambda picture: find(picture.image)


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
