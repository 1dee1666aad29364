"""Writes a rendered data set in COCO's layout."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from rich.progress import Progress

from distilpose_keras.files import new_folder, write_json
from distilpose_keras.synthetic.annotations import (
    PERSON_CATEGORY,
    annotate,
    detect,
)
from distilpose_keras.synthetic.casting import VARIED
from distilpose_keras.synthetic.render import draw_scene, map_faces
from distilpose_keras.synthetic.scene import sample_scene
from distilpose_keras.types import FilePath, Json, Size

if TYPE_CHECKING:
    from distilpose_keras.synthetic.casting import Casting

SPLITS = ("train", "val")
# Ids of validation pictures start here, so that no two pictures share one.
_FIRST_ID = {"train": 1, "val": 100_000_001}
_CHUNK = 50  # pictures per task of a worker
# Starting a process takes as long as rendering about this many pictures.
_WORTH_A_WORKER = 500


def render_image(
    seed: int, split: str, index: int, size: Size, casting: "Casting" = VARIED
) -> tuple[np.ndarray, list[Json], list[Json]]:
    """Render one picture.

    Args:
        seed: the data set's seed.
        split: "train" or "val".
        index: number of the picture in its split. The picture follows from seed,
            split and index alone.
        size: (height, width) in pixels.
        casting: the `Casting`.

    Returns:
        The picture, (H, W, 3) uint8 RGB; its COCO annotations; what a person detector
        would find in it, as COCO detection results.
    """
    rng = np.random.default_rng((seed, SPLITS.index(split), index))
    image_id = _FIRST_ID[split] + index
    annotations = []
    while not annotations:  # somebody has to be in the picture
        scene = sample_scene(rng, size, casting)
        faces = map_faces(scene)
        annotations = annotate(scene, faces, image_id)
    image = draw_scene(rng, scene, faces, seed)
    return image, annotations, detect(rng, annotations, image_id, size)


def _render_chunk(out_dir, seed, split, indices, size, casting):
    """Render and write pictures; return their COCO entries."""
    cv2.setNumThreads(1)
    images, annotations, detections = [], [], []
    for index in indices:
        image, people, found = render_image(seed, split, index, size, casting)
        image_id = _FIRST_ID[split] + index
        name = f"{image_id:012d}.jpg"
        quality = [cv2.IMWRITE_JPEG_QUALITY, 70 + (7 * index) % 26]
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
        Path(out_dir, f"{split}2017", name).write_bytes(jpeg)
        height, width = size
        images.append(
            {"id": image_id, "file_name": name, "height": height, "width": width}
        )
        annotations += people
        detections += found
    return images, annotations, detections


def _check_arguments(out_dir, counts, image_size):
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise ValueError(
            f"the folder for a new data set exists and is not empty: {out_dir}"
        )
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name}_images must be at least 1. Received: {count}")
    if len(image_size) != 2 or min(image_size) < 32:
        raise ValueError(
            "image_size must be (height, width), each at least 32. "
            f"Received: {tuple(image_size)}"
        )


def _run(tasks, workers):
    """Yield the results of ``_render_chunk`` for all tasks, in order."""
    if workers <= 1:
        for task in tasks:
            yield _render_chunk(*task)
        return
    # spawn: a fork of a process in which TensorFlow or JAX has threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_render_chunk, *zip(*tasks, strict=True))


def _write_annotations(folder, results):
    """Write the annotation files of all splits; ``results`` by split."""
    for split in SPLITS:
        images, annotations, detections = (
            [entry for part in parts for entry in part]
            for parts in zip(*results[split], strict=True)
        )
        document = {
            "info": {"description": "distilpose-keras synthetic people"},
            "licenses": [],
            "images": images,
            "annotations": annotations,
            "categories": [PERSON_CATEGORY],
        }
        if split == "val":
            name = "person_detections_val2017.json"
            write_json(folder / "person_detection_results" / name, detections)
        write_json(
            folder / "annotations" / f"person_keypoints_{split}2017.json", document
        )


def render_dataset(
    out_dir: FilePath,
    *,
    train_images: int,
    val_images: int,
    seed: int = 0,
    image_size: Size = (240, 320),
    casting: "Casting" = VARIED,
    workers: int | None = None,
    progress: bool = False,
) -> Path:
    """Render pictures of people with keypoints, in COCO's format and layout.

    Writes ``train2017/`` and ``val2017/`` (JPEG), ``annotations/
    person_keypoints_{train,val}2017.json`` and, for validation,
    ``person_detection_results/person_detections_val2017.json``. The folder appears
    when everything in it is written: an interrupted run leaves none.

    The people are articulated bodies within human joint limits; flags, boxes, areas
    and masks come from what the picture shows (see `annotations`).

    Args:
        out_dir: folder to make; it must not exist or be empty.
        train_images: number of training pictures.
        val_images: number of validation pictures.
        seed: the same seed gives the same files, whatever the number of workers.
        image_size: (height, width) in pixels.
        casting: a `Casting`, how varied the people are; `UPRIGHT` is easier to learn.
        workers: processes; None takes one per CPU where the job is large enough.
            They are spawned: a script needs its ``if __name__ == "__main__":``.
        progress: whether to show a progress bar.

    Returns:
        ``out_dir`` as a `Path`.

    Raises:
        ValueError: if the folder has contents or a number is out of range.

    Example:
        >>> render_dataset("people", train_images=2000, val_images=200)
        PosixPath('people')
    """
    out_dir = Path(out_dir)
    counts = {"train": train_images, "val": val_images}
    _check_arguments(out_dir, counts, image_size)
    total = sum(counts.values())
    if workers is None:
        workers = min(os.cpu_count() or 1, total // _WORTH_A_WORKER)
    size = tuple(map(int, image_size))
    bar = Progress() if progress else nullcontext()
    with new_folder(out_dir) as folder, bar:
        for split in SPLITS:
            (folder / f"{split}2017").mkdir()
        tasks = [
            (
                folder,
                seed,
                split,
                range(start, min(start + _CHUNK, count)),
                size,
                casting,
            )
            for split, count in counts.items()
            for start in range(0, count, _CHUNK)
        ]
        shown = bar.add_task("rendering people", total=total) if progress else None
        results = {split: [] for split in SPLITS}
        for task, result in zip(tasks, _run(tasks, workers), strict=True):
            results[task[2]].append(result)
            if progress:
                bar.advance(shown, len(task[3]))
        _write_annotations(folder, results)
    return out_dir
