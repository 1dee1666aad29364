"""What keypoint names say: the side of the body, and the joint in any spelling."""

import re
from collections.abc import Sequence

# (left, right) as annotation tools and their users write them.
_SIDE_WORDS = (
    ("left", "right"),
    ("l", "r"),
    ("lt", "rt"),
    ("lft", "rgt"),
    ("lhs", "rhs"),
    ("links", "rechts"),
    ("gauche", "droite"),
    ("izquierda", "derecha"),
    ("izquierdo", "derecho"),
    ("esquerda", "direita"),
    ("esquerdo", "direito"),
    ("sinistra", "destra"),
    ("sinistro", "destro"),
    ("左", "右"),
)
_SIDE = {word: side for pair in _SIDE_WORDS for side, word in enumerate(pair)}
_NAMES = ("left", "right")
# `leftEye`, `LEye`, `HTTPLeft`: where a word begins inside a word.
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATOR = re.compile(r"[\W_]+")
_GLUED = re.compile(r"^(left|right)(?=[a-z])|(?<=[a-z])(left|right)$")


def _words(name):
    """The words of a name, in lower case."""
    text = re.sub("([左右])", r" \1 ", str(name).strip())
    return [word.lower() for word in _SEPARATOR.split(_CAMEL.sub(" ", text)) if word]


def _sides_and_stem(words):
    """Sides (0 left, 1 right) in order, and the words that are none."""
    sides = tuple(_SIDE[word] for word in words if word in _SIDE)
    return sides, tuple(word for word in words if word not in _SIDE)


def _readings(name):
    """Ways to read a name that holds a side, the surest first.

    Yields:
        sides, stem words, and whether the name surely means a side: `left_eye` does;
        `bright` or `lear` only if the rest of the names agree.
    """
    words = _words(name)
    sides, stem = _sides_and_stem(words)
    if sides:
        spelled = any(word in _SIDE and len(word) > 1 for word in words)
        # `L5` and `R_1` may be a vertebra and a ring: a letter beside a number.
        yield sides, stem, spelled or any(len(word) > 1 for word in stem)
    for n, word in enumerate(words):
        rest = words[:n], words[n + 1 :]
        if glued := _GLUED.search(word):
            stem = (*rest[0], word[: glued.start()] + word[glued.end() :], *rest[1])
            yield (_SIDE[glued[0]],), stem, glued.start() == 0
        if len(word) > 1 and word[0] in "lr":
            yield (_SIDE[word[0]],), (*rest[0], word[1:], *rest[1]), False
        if len(word) > 1 and word[-1] in "lr":
            yield (_SIDE[word[-1]],), (*rest[0], word[:-1], *rest[1]), False


def pair_sides(
    names: Sequence[str],
) -> tuple[tuple[tuple[int, int], ...], tuple[str, ...]]:
    """Find the names that a mirror exchanges.

    Words, letters, prefixes, suffixes and camel case are understood: `left_eye`,
    `Left Eye`, `eye_left`, `L_eye`, `eye.R`, `leftEye`, `LEFTEYE`, `leye`. A name with
    several sides is exchanged with the one that has all of them turned.

    Args:
        names: K keypoint names.

    Returns:
        (left, right) index pairs, and the names that hold a side and have no partner.
    """
    partner = {}
    readings = [list(_readings(name)) for name in names]
    for level in range(max(map(len, readings), default=0)):
        places = {}
        for n, found in enumerate(readings):
            # A surer reading that found its partner settles a name.
            if n not in partner:
                for sides, stem, _ in found[: level + 1]:
                    places.setdefault((sides, stem), set()).add(n)
        for (sides, stem), here in places.items():
            there = places.get((tuple(1 - side for side in sides), stem), set())
            if len(here) == len(there) == 1 and sides[0] == 0:
                (left,), (right,) = here, there
                if left != right and not {left, right} & partner.keys():
                    partner[left], partner[right] = right, None
    pairs = tuple((left, right) for left, right in partner.items() if right is not None)
    unpaired = tuple(
        name
        for n, (name, found) in enumerate(zip(names, readings, strict=True))
        if n not in partner and any(sure for _, _, sure in found)
    )
    return tuple(sorted(pairs)), unpaired


def canonical_name(name: str) -> str:
    """Spell a name one way: `Left Eye`, `eyeLeft` and `L_eye` are all `left_eye`."""
    for sides, stem, sure in _readings(name):
        if sure:
            return "_".join([*(_NAMES[side] for side in sides), *stem])
    return "_".join(_words(name))


def match_names(wanted: Sequence[str], found: Sequence[str]) -> list[int]:
    """Say where each wanted keypoint stands among those of a file or a model.

    Args:
        wanted: K names.
        found: J names, in another order, spelling or number.

    Returns:
        K positions in ``found``; -1 for a name that is not there.

    Raises:
        ValueError: if each side has names that the other lacks, or one has a name
            twice; where no name is common at all, equal numbers are taken in order.
    """
    ours, theirs = map(_canonical, (wanted, found))
    if ours == theirs:
        return list(range(len(ours)))
    common = set(ours) & set(theirs)
    if not common and len(ours) == len(theirs):
        return list(range(len(ours)))
    doubled = len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs)
    if doubled or not (common and (common == set(ours) or common == set(theirs))):
        missing = [n for n, c in zip(wanted, ours, strict=True) if c not in common]
        other = [n for n, c in zip(found, theirs, strict=True) if c not in common]
        raise ValueError(
            f"expected {len(ours)} keypoints ({_few(missing or wanted)}). "
            f"Received: {len(theirs)} ({_few(other or found)})"
        )
    place = {name: n for n, name in enumerate(theirs)}
    return [place.get(name, -1) for name in ours]


def _canonical(names):
    """Canonical names; as they are where two of them would become one."""
    spelled = [canonical_name(name) for name in names]
    return spelled if len(set(spelled)) == len(spelled) else [str(n) for n in names]


def _few(names):
    shown = ", ".join(map(str, names[:4]))
    return f"{shown}, ..." if len(names) > 4 else shown
