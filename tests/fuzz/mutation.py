"""Damages files the way disks, networks and strangers do."""

import copy
import io
import json
import zipfile

# Sizes and counts that parsers stumble over.
NUMBERS = (
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 63,
)
VALUES = (
    *(None, True, False, 0, -1, 0.5, 1e308, float("nan"), float("inf"), 10**30),
    *("", "0", "x" * 3000, "\ud800", "../../x", "\0", [], {}, [[]], [None] * 5),
)


def damaged(content, random):
    """Return bytes with one to four damages.

    Args:
        content: bytes of a whole file.
        random: `random.Random`, or what hypothesis gives for it.
    """
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if not content:
            return b""
        start = _position(content, random)
        end = min(len(content), start + random.choice((1, 4, 16, 400)))
        random.choice((_flip, _number, _noise, _zeros, _cut, _drop, _repeat))(
            content, start, end, random
        )
    return bytes(content)


def _position(content, random):
    """Half of the time near the ends, where formats keep their structure."""
    place = random.randrange(4)
    if place == 0:
        return random.randrange(min(len(content), 300))
    if place == 1:
        return len(content) - 1 - random.randrange(min(len(content), 3000))
    return random.randrange(len(content))


def _flip(content, start, end, random):
    content[start] ^= 1 << random.randrange(8)


def _number(content, start, end, random):
    size = random.choice((1, 2, 4, 8))
    number = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
    order = random.choice(("little", "big"))
    content[start : start + size] = number.to_bytes(size, order)


def _noise(content, start, end, random):
    content[start:end] = bytes(random.randrange(256) for _ in range(end - start))


def _zeros(content, start, end, random):
    content[start:end] = bytes(end - start)


def _cut(content, start, end, random):
    del content[start:]


def _drop(content, start, end, random):
    del content[start:end]


def _repeat(content, start, end, random):
    content[start:start] = content[start:end] * random.choice((1, 3, 50))


def damaged_member(content, random):
    """Return an archive with one damaged member, under a right checksum."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    kind = random.randrange(8)
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[random.choice(("../x", "/x", "a/../../x", "x" * 300))] = members[name]
    elif name.endswith(".json"):
        members[name] = damaged_json(members[name], random)
    else:
        members[name] = damaged(members[name], random)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def damaged_json(content, random):
    """Return JSON text with one to three values changed, dropped or repeated."""
    document = json.loads(content)
    for _ in range(random.randrange(1, 4)):
        document = _damaged_value(document, random)
    text = json.dumps(document)
    if random.randrange(8) == 0:
        return damaged(text.encode("utf-8", "surrogatepass"), random)
    return text.encode("utf-8", "surrogatepass")


def _damaged_value(document, random):
    """Change one value somewhere in a tree."""
    holder, key, node = None, None, document
    while isinstance(node, dict | list) and node and random.randrange(6):
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        holder, key = node, random.choice(list(keys))
        node = holder[key]
    if holder is None:
        return (
            copy.deepcopy(random.choice(VALUES))
            if random.randrange(3) == 0
            else document
        )
    kind = random.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(node, list):
        holder[key] = node * random.choice((0, 2, 100))
    elif kind == 2:
        holder[key] = [node]
    elif kind == 3:
        holder[key] = str(node)
    elif kind == 4 and isinstance(holder, dict):
        holder[random.choice(("x", "id", "name", "bbox", "\0"))] = node
    elif kind == 5 and isinstance(node, int | float):
        holder[key] = -node * random.choice((1, 1000, 10**6))
    else:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    return document
