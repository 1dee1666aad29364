"""`check_dataset`: what is wrong with a data set, before anyone trains on it."""

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from distilpose_keras.checking.people import check_people
from distilpose_keras.checking.pictures import (
    picture_problems,
    scan_pictures,
    shared_pictures,
)
from distilpose_keras.checking.problems import Example, Problem
from distilpose_keras.checking.split import read_split
from distilpose_keras.checking.statistics import split_statistics
from distilpose_keras.data.coco import coco_paths
from distilpose_keras.types import FilePath, Json

if TYPE_CHECKING:
    from distilpose_keras.predictor import PosePredictor

SPLITS = ("train", "val")


@dataclass
class DatasetCheck:
    """What was found in a data set.

    Attributes:
        folder: the data set.
        problems: `Problem` objects, the serious ones first.
        statistics: dict of split to its figures, see `split_statistics`.
        remarks: dict of split to what was filled in or not followed.
        schemas: dict of split to the KeypointSchema of its people.
        pictures: how many were opened.
        seconds: that the check took.
    """

    folder: Path
    problems: list = field(default_factory=list)
    statistics: dict = field(default_factory=dict)
    remarks: dict = field(default_factory=dict)
    schemas: dict = field(default_factory=dict)
    pictures: int = 0
    seconds: float = 0.0

    @property
    def serious(self) -> bool:
        """Whether training or scoring would stop or be wrong."""
        return any(problem.serious for problem in self.problems)

    def line(self) -> str:
        """Say it all in one line."""
        counts = [
            f"{figures['people']} people in {figures['pictures']} {split} pictures"
            for split, figures in self.statistics.items()
        ]
        problems = [f"{p.count} {p.kind} ({p.split})" for p in self.problems]
        return f"{', '.join(counts) or self.folder}: " + (
            "; ".join(problems) or "no problem found"
        )

    def to_dict(self) -> Json:
        """Return a JSON-ready dict."""
        return {
            "folder": str(self.folder),
            "serious": self.serious,
            "problems": [problem.to_dict() for problem in self.problems],
            "statistics": self.statistics,
            "remarks": self.remarks,
            "pictures": self.pictures,
            "seconds": round(self.seconds, 2),
        }


def check_dataset(
    data_dir: FilePath,
    *,
    splits: Sequence[str] | None = None,
    pictures: bool = True,
    category: str | int | None = None,
    flip_pairs: Iterable[tuple[str | int, str | int]] | None = None,
    predictor: "PosePredictor | None" = None,
    workers: int | None = None,
    progress: bool = False,
) -> DatasetCheck:
    """Read a data set whole and say what is wrong with it.

    Annotations: files that cannot be followed, ids given twice, keypoints outside their
    picture or box, left and right exchanged. Pictures: missing, damaged, of another
    size, next to empty, in several splits.

    Args:
        data_dir: in COCO's layout, see `coco_paths`.
        splits: names of splits; by default those of "train" and "val" that are there.
        pictures: open all pictures; without, it takes seconds.
        category: see `load_people`.
        flip_pairs: see `load_people`.
        predictor: a `PosePredictor` whose sides the labels are compared with, or None.
        workers: threads that decode; one per core by default.
        progress: show a progress bar.

    Returns:
        `DatasetCheck`.

    Raises:
        ValueError: if there is no such data set.
    """
    start = time.perf_counter()
    check = DatasetCheck(Path(data_dir))
    read = []
    for name, paths in _present(data_dir, splits).items():
        try:
            split, problems = read_split(
                name, *paths, category=category, flip_pairs=flip_pairs
            )
        except ValueError as error:
            kind, example = (
                "annotation files that cannot be followed",
                Example(str(error)),
            )
            check.problems.append(Problem(kind, name, 1, 1, True, (example,)))
            continue
        read.append(split)
        check.problems += [*problems, *check_people(split)]
        check.statistics[name] = split_statistics(split)
        check.remarks[name] = split.remarks
        check.schemas[name] = split.schema
    if pictures:
        check.problems += _check_pictures(read, workers, progress)
        check.pictures = sum(len(split.images.files) for split in read)
    if predictor is not None:
        from distilpose_keras.checking.predictions import sides_against_model

        found = [sides_against_model(split, predictor) for split in read]
        check.problems += filter(None, found)
    check.problems.sort(key=lambda problem: not problem.serious)
    check.seconds = time.perf_counter() - start
    return check


def _present(data_dir, splits):
    """The annotation file and image folder of each split that is meant."""
    if splits is not None:
        return {split: coco_paths(data_dir, split) for split in splits}
    present, refusal = {}, None
    for split in SPLITS:
        try:
            present[split] = coco_paths(data_dir, split)
        except ValueError as error:
            refusal = refusal or error
    if not present:
        raise refusal
    return present


def _check_pictures(splits, workers, progress):
    """Open the pictures of all splits and compare them."""
    problems, scans = [], {}
    total = sum(len(split.images.files) for split in splits)
    with Progress(transient=True, disable=not progress) as bar:
        task = bar.add_task("opening pictures", total=total)
        for split in splits:
            scans[split.name] = scan_pictures(
                split, workers=workers, advance=lambda count: bar.advance(task, count)
            )
            problems += picture_problems(split, scans[split.name])
    for one, other in itertools.combinations(splits, 2):
        # Of the smaller split's pictures: they are what is scored.
        one, other = sorted((one, other), key=lambda split: len(split.images.files))
        pair = scans[one.name], scans[other.name]
        problems.append(shared_pictures(one, other, pair))
    return [problem for problem in problems if problem is not None]
