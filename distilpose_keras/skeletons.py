"""The lines between keypoints, as different programs write them."""

from collections.abc import Sequence
from typing import Any


def skeleton_lines(
    skeleton: Any, names: Sequence[str]
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Read the lines of a drawing, as different programs write them.

    COCO's are 1-based pairs. A 0 among them says that they start from 0; names stand
    for themselves; numbers in a row are pairs.

    Args:
        skeleton: of a ``categories`` entry; may be None.
        names: K keypoint names.

    Returns:
        0-based index pairs, and how many lines cannot be drawn.
    """
    lines = skeleton if isinstance(skeleton, (list, tuple)) else ()
    if lines and not any(isinstance(line, (list, tuple)) for line in lines):
        lines = [lines[n : n + 2] for n in range(0, len(lines), 2)]
    ends = [_line_ends(line, names) for line in lines]
    numbers = [n for line in ends if line for n in line if isinstance(n, int)]
    first = 0 if 0 in numbers and max(numbers) < len(names) else 1
    drawn = []
    for line in filter(None, ends):
        a, b = (names.index(n) if isinstance(n, str) else n - first for n in line)
        if a != b and 0 <= min(a, b) and max(a, b) < len(names):
            drawn.append((a, b))
    return tuple(drawn), len(ends) - len(drawn)


def _line_ends(line, names):
    """Two names or numbers; None if the line has no such ends."""
    if not isinstance(line, (list, tuple)) or len(line) != 2:
        return None
    ends = []
    for end in line:
        if end in names:
            ends.append(end)
            continue
        try:
            number = float(end)
        except (TypeError, ValueError):
            return None
        if not number.is_integer():
            return None
        ends.append(int(number))
    return ends
