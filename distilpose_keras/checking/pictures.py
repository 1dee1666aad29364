"""Every picture of a data set, decoded once: damage, size, content, likeness.

Pictures are decoded at an eighth of their size where their format can do so, which
reads all of a file in less time than plain decoding takes.
"""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np

from distilpose_keras.checking.problems import Example, problem_of
from distilpose_keras.data.images import ImageError, SizeError, read_reduced_image

SHORTEST = 24  # pixels of a reduced picture's shorter side, at least
THUMBNAIL = 32  # pixels along each side; what the perceptual hash looks at
EMPTY = 3.0  # standard deviation of grey levels below which a picture shows nothing
# Pictures are the same if at most this many of the 64 bits of their hashes differ and
# their thumbnails correlate.
SAME_BITS = 4
SAME_CORRELATION = 0.98


class State(IntEnum):
    """What came of opening a picture."""

    GOOD = 0
    MISSING = 1
    DAMAGED = 2
    OTHER_SIZE = 3


@dataclass(frozen=True)
class Scan:
    """What M pictures look like.

    Attributes:
        states: (M,) of `State`.
        hashes: (M,) uint64 perceptual hashes; 0 unless the state is GOOD.
        thumbnails: (M, 16, 16) uint8 grey.
        contrasts: (M,) standard deviations of grey levels.
        messages: dict of position to what is wrong.
    """

    states: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray
    contrasts: np.ndarray
    messages: dict


def scan_pictures(split, *, workers=None, advance=lambda count: None):
    """Open all pictures of a split, in threads.

    Args:
        split: `Split`.
        workers: threads; one per core by default.
        advance: called with how many were opened just now.

    Returns:
        `Scan`.
    """
    count = len(split.images.files)
    scan = Scan(
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint64),
        np.zeros((count, THUMBNAIL // 2, THUMBNAIL // 2), np.uint8),
        np.zeros(count),
        {},
    )
    workers = workers or os.cpu_count()
    chunks = np.array_split(np.arange(count), max(1, count // 16))
    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        pending = deque()
        try:
            for chunk in chunks:
                if len(pending) >= 4 * workers:
                    pending.popleft().result()
                pending.append(pool.submit(_look_at, split, chunk, scan, advance))
            while pending:
                pending.popleft().result()
        finally:
            for job in pending:
                job.cancel()
    return scan


def _look_at(split, chunk, scan, advance):
    """Fill the rows of some pictures."""
    hasher = cv2.img_hash.PHash.create()
    half = THUMBNAIL // 2, THUMBNAIL // 2
    for n in chunk.tolist():
        height, width = split.images.sizes[n].tolist()
        shortest = min(height, width)
        reduction = next((r for r in (8, 4, 2) if shortest >= r * SHORTEST), 1)
        size = (height, width) if shortest > 0 else None
        path = split.picture(n)
        try:
            image, _ = read_reduced_image(path, reduction, size)
        except ImageError as error:
            scan.states[n] = _state(path, error)
            scan.messages[n] = str(error)
        else:
            small = cv2.resize(image, (THUMBNAIL,) * 2, interpolation=cv2.INTER_AREA)
            grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
            scan.hashes[n] = hasher.compute(grey).view(np.uint64)[0, 0]
            scan.thumbnails[n] = cv2.resize(grey, half, interpolation=cv2.INTER_AREA)
    scan.contrasts[chunk] = scan.thumbnails[chunk].std(axis=(1, 2))
    advance(len(chunk))


def _state(path, error):
    if isinstance(error, SizeError):
        return State.OTHER_SIZE
    try:
        return State.DAMAGED if path.exists() else State.MISSING
    except (OSError, ValueError):
        return State.MISSING


def picture_problems(split, scan):
    """Return the problems of a split's pictures.

    Args:
        split: `Split`.
        scan: `Scan` of its pictures.
    """

    def example(n):
        missing = scan.states[n] == State.MISSING
        return Example(scan.messages[n], None if missing else split.picture(n))

    def empty(n):
        text = f"{split.images.files[n]}: grey levels spread by {scan.contrasts[n]:.1f}"
        return Example(text, split.picture(n))

    good = scan.states == State.GOOD
    found = [
        problem_of(kind, split.name, scan.states == state, example, serious=True)
        for kind, state in (
            ("pictures missing", State.MISSING),
            ("pictures damaged", State.DAMAGED),
            ("pictures of another size than their annotations say", State.OTHER_SIZE),
        )
    ]
    found.append(
        problem_of(
            "pictures that show next to nothing",
            split.name,
            good & (scan.contrasts < EMPTY),
            empty,
            serious=False,
            worst=-scan.contrasts,
        )
    )
    return [problem for problem in found if problem is not None]


def shared_pictures(one, other, scans):
    """Find pictures of one split that are also in another.

    Args:
        one: `Split`; its pictures are counted.
        other: `Split`.
        scans: `Scan` of each, in this order.

    Returns:
        A `Problem`, or None.
    """
    pairs = same_pictures(*scans)
    bad = np.zeros(len(scans[0].states), bool)
    bad[[n for n, _ in pairs]] = True
    twin = dict(pairs)
    return problem_of(
        f"pictures that {other.name} shows too",
        one.name,
        bad,
        lambda n: Example(
            f"{one.images.files[n]} and {other.images.files[twin[n]]}", one.picture(n)
        ),
        serious=True,
    )


def same_pictures(one, other):
    """Return (n, m) pairs of pictures that look the same, one for each n.

    Args:
        one: `Scan`.
        other: `Scan`.
    """
    ours, theirs = (_comparable(scan) for scan in (one, other))
    pairs = []
    for n in ours:
        bits = np.bitwise_count(other.hashes[theirs] ^ one.hashes[n])
        for m in theirs[np.flatnonzero(bits <= SAME_BITS)]:
            if _correlation(one.thumbnails[n], other.thumbnails[m]) > SAME_CORRELATION:
                pairs.append((int(n), int(m)))
                break
    return pairs


def _comparable(scan):
    """Pictures that show something: the others all look alike."""
    return np.flatnonzero((scan.states == State.GOOD) & (scan.contrasts >= EMPTY))


def _correlation(one, other):
    """Correlation of two thumbnails."""
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]
