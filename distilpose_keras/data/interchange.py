"""Whole data sets from one layout to another: COCO's and YOLO-pose's."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.yolo import coco_document, yolo_lines
from distilpose_keras.data.yolo_file import read_yolo, yolo_yaml
from distilpose_keras.files import new_folder
from distilpose_keras.types import FilePath

SPLITS = ("train", "val")


def yolo_to_coco(source: FilePath, out: FilePath) -> dict[str, tuple[int, int]]:
    """Write a YOLO-pose data set in COCO's layout.

    Args:
        source: its ``data.yaml``.
        out: folder to make: ``annotations/person_keypoints_{train,val}2017.json`` and
            ``{train,val}2017/``. It appears when everything in it is written.

    Returns:
        {split: (pictures, people)}.

    Raises:
        ValueError: naming the file, if it or a label or a picture cannot be read, or
            ``out`` has contents.
    """
    dataset = read_yolo(source)
    counts = {}
    with new_folder(out) as folder:
        (folder / "annotations").mkdir()
        for split in [s for s in SPLITS if s in dataset.splits]:
            document, pictures = coco_document(dataset, split)
            name = f"person_keypoints_{split}2017.json"
            (folder / "annotations" / name).write_text(json.dumps(document))
            for image, picture in zip(document["images"], pictures, strict=True):
                _link(picture, folder / f"{split}2017" / image["file_name"])
            counts[split] = len(pictures), len(document["annotations"])
        if not counts:
            raise ValueError(f"{source} must list pictures under train or val")
    return counts


def coco_to_yolo(
    source: FilePath,
    out: FilePath,
    *,
    category: str | int | None = None,
    flip_pairs: Iterable[tuple[str | int, str | int]] | None = None,
) -> dict[str, tuple[int, int]]:
    """Write a data set in COCO's layout as a YOLO-pose data set.

    Args:
        source: folder in COCO's layout, with one split or both.
        out: folder to make: ``data.yaml``, ``images/SPLIT``, ``labels/SPLIT``. It
            appears when everything in it is written.
        category: see `load_people`.
        flip_pairs: see `load_people`.

    Returns:
        {split: (pictures, people)}. People without a labelled keypoint are among
        them, as boxes.

    Raises:
        ValueError: naming the file, if it cannot be followed, the splits have other
            keypoints, or ``out`` has contents.
    """
    read = {"category": category, "flip_pairs": flip_pairs, "require_keypoints": False}
    annotations = Path(source) / "annotations"
    found = {
        split: load_people(*coco_paths(source, split), **read)
        for split in SPLITS
        if (annotations / f"person_keypoints_{split}2017.json").is_file()
    }
    if not found:
        coco_paths(source, "train")  # says what is missing
    schemas = [people.schema for people in found.values()]
    if schemas[0] != schemas[-1]:
        raise ValueError(f"train and val of {source} must have the same keypoints")
    counts = {}
    with new_folder(out) as folder:
        for split, people in found.items():
            for n, lines in yolo_lines(people):
                name = people.image_files[n]
                _link(people.image_dir / name, folder / "images" / split / name)
                labels = (folder / "labels" / split / name).with_suffix(".txt")
                labels.parent.mkdir(parents=True, exist_ok=True)
                labels.write_text("".join(f"{line}\n" for line in lines))
            counts[split] = len(people.image_files), len(people)
        text = yolo_yaml(schemas[0], list(found), "person")
        (folder / "data.yaml").write_text(text)
    return counts


def _link(source, target):
    """Make ``target`` the same file as ``source``, or a copy on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
