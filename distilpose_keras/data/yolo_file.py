"""The `data.yaml` of a YOLO-pose data set: its splits, classes and keypoints.

See https://docs.ultralytics.com/datasets/pose for the format, and `data.yolo` for the
labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilpose_keras.keypoints import COCO_17, KeypointSchema
from distilpose_keras.pictures import IMAGE_SUFFIXES
from distilpose_keras.types import FilePath


@dataclass(frozen=True)
class YoloDataset:
    """What a ``data.yaml`` says.

    Attributes:
        path: the file.
        root: folder that its paths are relative to.
        splits: "train", "val" and "test" to the paths that it lists for them.
        classes: names of the classes.
        keypoints: names of the K keypoints.
        dimensions: 2, or 3 with visibilities.
    """

    path: Path
    root: Path
    splits: dict[str, list[Path]]
    classes: tuple[str, ...]
    keypoints: tuple[str, ...]
    dimensions: int

    def pictures(self, split: str) -> list[Path]:
        """Return the pictures of a split, sorted.

        Raises:
            ValueError: if the file has no such split, or it has no pictures.
        """
        if split not in self.splits:
            raise ValueError(
                f"{self.path} must list the pictures of {split!r}. "
                f"Received: {', '.join(self.splits) or 'no split'}"
            )
        found = [p for path in self.splits[split] for p in _pictures_of(path)]
        if not found:
            raise ValueError(
                f"no pictures ({', '.join(IMAGE_SUFFIXES)}) of {split!r} in "
                f"{', '.join(map(str, self.splits[split]))}"
            )
        return sorted(found)


def read_yolo(path: FilePath) -> YoloDataset:
    """Read a ``data.yaml``.

    Keypoints that it does not name (``kpt_names``) are called as COCO's where it has
    17 that a mirror exchanges as COCO's, else ``keypoint_0`` and so on, those that
    ``flip_idx`` exchanges ``left_1`` and ``right_1``.

    Raises:
        ValueError: naming the file and the key, if it cannot be followed.
    """
    import yaml

    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is not valid YAML: {reason}") from None
    if not isinstance(data, dict):
        raise ValueError(
            f"{path} must hold keys and values. Received: {str(data)[:60]}"
        )
    count, dimensions = _kpt_shape(path, data.get("kpt_shape"))
    root = Path(str(data.get("path") or "."))
    if not root.is_absolute():
        root = path.parent / root
    splits = {
        split: [root / str(p) for p in _listed(data[split])]
        for split in ("train", "val", "test")
        if data.get(split)
    }
    return YoloDataset(
        path=path,
        root=root,
        splits=splits,
        classes=_classes(path, data.get("names")),
        keypoints=_keypoint_names(path, data, count),
        dimensions=dimensions,
    )


def yolo_yaml(schema: KeypointSchema, splits: Sequence[str], name: str) -> str:
    """Return the text of a ``data.yaml`` for pictures in ``images/SPLIT``.

    Args:
        schema: of the keypoints.
        splits: such as "train" and "val".
        name: of the one class.

    Raises:
        ValueError: if the schema cannot be mirrored (`KeypointSchema.check_mirror`).
    """
    import yaml

    data: dict[str, Any] = {split: f"images/{split}" for split in splits}
    data["names"] = {0: name}
    data["kpt_shape"] = [schema.num_keypoints, 3]
    data["flip_idx"] = schema.flip_permutation.tolist()
    data["kpt_names"] = {0: list(schema.names)}
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None)


def _pictures_of(path):
    """Pictures of a folder, of a text file that lists them, or the picture itself."""
    if path.is_dir():
        return [p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES]
    if path.suffix == ".txt" and path.is_file():
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return [path.parent / line.strip() for line in lines if line.strip()]
    if path.is_file():
        return [path]
    raise ValueError(f"no such file or folder of pictures: {path}")


def _listed(value):
    """A value, or those of a list."""
    return value if isinstance(value, list) else [value]


def _kpt_shape(path, value):
    """(K, 2 or 3)."""
    sound = isinstance(value, list) and len(value) == 2
    if not sound or not all(type(v) is int for v in value):
        raise ValueError(
            f"{path} must have kpt_shape: [keypoints, 2 or 3]. Received: {value}"
        )
    if value[0] < 1 or value[1] not in (2, 3):
        raise ValueError(
            f"{path} must have kpt_shape: [keypoints, 2 or 3]. Received: {value}"
        )
    return tuple(value)


def _classes(path, names):
    """Names of the classes, by number."""
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise ValueError(
                f"{path} must number its names from 0. Received: {sorted(names)}"
            )
        names = [names[n] for n in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"{path} must have names of its classes. Received: {names}")
    return tuple(map(str, names))


def _keypoint_names(path, data, count):
    """K names, those given or such that left and right can be told."""
    given = data.get("kpt_names")
    if isinstance(given, dict):  # by class; all classes share the keypoints
        given = next(iter(given.values()), None)
    if given is not None:
        if not isinstance(given, list) or len(given) != count:
            raise ValueError(
                f"{path} must have {count} kpt_names, as kpt_shape says. "
                f"Received: {str(given)[:80]}"
            )
        return tuple(map(str, given))
    flip = data.get("flip_idx", list(range(count)))
    if not isinstance(flip, list) or sorted(map(str, flip)) != sorted(
        map(str, range(count))
    ):
        raise ValueError(
            f"{path} must have a flip_idx of the numbers 0 to {count - 1}. "
            f"Received: {str(flip)[:80]}"
        )
    if count == len(COCO_17.names) and flip == COCO_17.flip_permutation.tolist():
        return COCO_17.names
    names = [f"keypoint_{n}" for n in range(count)]
    for n, other in enumerate(flip):
        if flip[other] != n:
            raise ValueError(
                f"{path} must have a flip_idx that exchanges pairs. Received: "
                f"{n} becomes {other}, and {other} {flip[other]}"
            )
        if n < other:
            names[n], names[other] = f"left_{n}", f"right_{n}"
    return tuple(names)
