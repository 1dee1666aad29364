"""Speed and memory of the input pipeline, against the plain way to write it."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.progress import Progress

import distilpose_keras
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.dataset import PoseDataset
from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.geometry import PLAIN
from distilpose_keras.keypoints import COCO_17

PEOPLE_PER_PASS = 1000  # smaller data sets are repeated, as links to their pictures

# Opens an annotation file; prints people, seconds by the clock and of the processor,
# and peak bytes of memory. Linux lets a program inherit the peak of `getrusage` from
# its parent, but not that under /proc.
_OPEN_PROGRAM = """
import re, resource, sys, time
from distilpose_keras.data.coco import load_people

start, processor = time.perf_counter(), time.process_time()
count = len(load_people(sys.argv[1], sys.argv[2]))
seconds, processor = time.perf_counter() - start, time.process_time() - processor
try:
    with open("/proc/self/status") as status:
        peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read())[1]) * 1024
except OSError:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(count, seconds, processor, peak)
"""


def run(args):
    """Measure, and return one dict per row of the table.

    The rows are the plain path, PoseDataset (fully augmented) in this process and in
    worker processes, and opening a large annotation file. ``crops_per_second`` is by
    the clock, ``crops_per_core_second`` by processor time; ``ratio`` is against the
    plain path, of processor time where it is known; ``limit_of_caller`` is the rate at
    which receiving crops from workers would fill the core that trains. What is compared
    runs in turns.

    Args:
        args: namespace of the arguments of ``distilpose benchmark data``.
    """
    people = load_people(*coco_paths(args.data, "train"))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with tempfile.TemporaryDirectory() as folder, Progress(transient=True) as bar:
            people = repeat_people(people, PEOPLE_PER_PASS, folder)
            rows = _crop_rows(people, args, bar)
    finally:
        cv2.setNumThreads(threads)
    return rows + ([index_row(args.people)] if args.people else [])


def repeat_people(people, count, folder):
    """Return a data set of at least ``count`` people, repeated as other pictures.

    Args:
        people: PeopleIndex.
        count: of people wanted.
        folder: gets a link to the pictures for each repetition.
    """
    times = math.ceil(count / len(people))
    for n in range(times):
        os.symlink(people.image_dir.resolve(), Path(folder) / str(n))
    images = len(people.image_files)
    repeated = people.take(np.tile(np.arange(len(people)), times))
    offsets = np.repeat(np.arange(times) * images, len(people))
    return replace(
        repeated,
        image_dir=Path(folder),
        image_files=[
            f"{n}/{name}" for n in range(times) for name in people.image_files
        ],
        image_ids=np.tile(people.image_ids, times),
        image_sizes=np.tile(people.image_sizes, (times, 1)),
        image_index=(repeated.image_index + offsets).astype(np.int32),
    )


def plain_crops(people, input_size=(256, 192)):
    """Read, crop and normalise person by person: what one writes first.

    Args:
        people: PeopleIndex.
        input_size: (height, width) of a crop.

    Yields:
        (height, width, 3) float32, normalised RGB; not augmented.
    """
    mean = np.float32([123.675, 116.28, 103.53])
    deviation = np.float32([58.395, 57.12, 57.375])
    for person in people:
        image = cv2.imread(str(person.image_path))
        center, scale = box_to_center_scale(person.box_xywh, input_size=input_size)
        matrix = PLAIN.affine_matrix(center, scale, output_size=input_size)
        crop = cv2.warpAffine(image, matrix, input_size[::-1], flags=cv2.INTER_LINEAR)
        rgb = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32)
        yield (rgb - mean) / deviation


def _crop_rows(people, args, bar):
    """Measure all ways to make crops, pass by pass in turns."""
    data_sets = [
        PoseDataset(
            people, batch_size=args.batch_size, image_dtype=dtype, workers=workers
        )
        for dtype, workers in [("float32", 1), ("uint8", 1)]
        + [("uint8", workers) for workers in args.workers if workers > 1]
    ]
    plain, *seconds = [[] for _ in range(1 + len(data_sets))]
    task = bar.add_task("crops", total=(1 + len(data_sets)) * (args.rounds + 1))
    for turn in range(args.rounds + 1):
        plain.append(_seconds_to_use_up(plain_crops(people)))
        bar.advance(task)
        for data_set, spent in zip(data_sets, seconds, strict=True):
            data_set.set_epoch(turn)
            batches = (data_set[i] for i in range(len(data_set)))
            spent.append(_seconds_to_use_up(batches))
            bar.advance(task)
    rows = [_crop_row("plain: imread, warpAffine, normalise", people, plain)]
    for data_set, spent in zip(data_sets, seconds, strict=True):
        data_set.close()
        row = _crop_row(f"PoseDataset, {data_set.image_dtype}", people, spent)
        row["workers"] = data_set.processes
        rows.append(row)
    return [_compared(row, rows[0], rows[2]) for row in rows]


def _seconds_to_use_up(items):
    """Return the wall and processor seconds that an iterable takes."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in items:
        pass
    return time.perf_counter() - wall, time.process_time() - processor


def _crop_row(name, people, spent):
    """Return the row of one way to make crops; its first pass warmed the caches."""
    wall, processor = np.median(spent[1:], axis=0)
    return {
        "path": name,
        "workers": 1,
        "crops_per_second": round(float(len(people) / wall), 1),
        "crops_per_core_second": round(float(len(people) / processor), 1),
    }


def _compared(row, plain, alone):
    """Complete a row by its ratios to the plain path and to one process."""
    if row["workers"] == 1:
        rate = "crops_per_core_second"
        return row | {"ratio": round(row[rate] / plain[rate], 2)}
    # Of processor time only that of this process is seen: it bounds all workers' sum.
    rate = row["crops_per_second"]
    return {
        "path": row["path"],
        "workers": row["workers"],
        "crops_per_second": rate,
        "ratio": round(rate / plain["crops_per_second"], 2),
        "ratio_to_one_process": round(rate / alone["crops_per_second"], 2),
        "limit_of_caller": row["crops_per_core_second"],
    }


def index_row(people):
    """Return a row with the time and memory to open a large annotation file.

    The file has the proportions of COCO's: for every 150 labelled people 112 others
    and 118 pictures, each person with a polygon. It is read by a process of its own,
    whose peak memory includes the interpreter.

    Args:
        people: number of labelled people.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.json"
        write_annotations(path, people)
        root = Path(distilpose_keras.__file__).resolve().parents[1]
        answer = subprocess.run(
            [sys.executable, "-c", _OPEN_PROGRAM, str(path), folder],
            env=dict(os.environ, PYTHONPATH=str(root)),
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        return {
            "path": f"opening {answer[0]} people, a file of "
            f"{path.stat().st_size / 1e6:.0f} MB",
            "seconds": round(float(answer[1]), 1),
            "core_seconds": round(float(answer[2]), 1),
            "peak_mb": round(int(answer[3]) / 1e6),
        }


def write_annotations(path, people):
    """Write an annotation file of COCO's proportions, without pictures.

    Args:
        path: the file.
        people: number of labelled people.
    """
    rng = np.random.default_rng(0)
    images, others = people * 118 // 150, people * 112 // 150
    outline = json.dumps([rng.uniform(0, 640, 80).round(2).tolist()])
    names = json.dumps(COCO_17.names)
    with open(path, "w") as file:
        file.write('{"images": [')
        for i in range(images):
            file.write(
                f'{", " * bool(i)}{{"id": {i}, "file_name": "{i:012d}.jpg", '
                '"height": 480, "width": 640}'
            )
        file.write('], "annotations": [')
        for i in range(people + others):
            points = np.zeros((17, 3), int)
            if i < people:
                points = rng.integers(1, (640, 480, 3), (17, 3))
            file.write(
                f'{", " * bool(i)}{{"segmentation": {outline}, "area": 20000.5, '
                f'"iscrowd": 0, "keypoints": {points.ravel().tolist()}, '
                f'"image_id": {i % images}, "bbox": [10.5, 20.25, 100.75, 200.5], '
                f'"category_id": 1, "id": {i}}}'
            )
        category = f'{{"id": 1, "name": "person", "keypoints": {names}}}'
        file.write(f'], "categories": [{category}]}}')
