"""A split of a data set as a check reads it: what can be followed, and what cannot."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distilpose_keras.checking.problems import EXAMPLES, Example, Problem
from distilpose_keras.data.annotation_file import AnnotationFile, read_annotation_file
from distilpose_keras.data.categories import choose_schema
from distilpose_keras.data.images import ImageError
from distilpose_keras.data.persons import Persons
from distilpose_keras.data.picture_names import names_on_disk
from distilpose_keras.data.picture_sizes import settle_sizes
from distilpose_keras.keypoints import KeypointSchema


@dataclass
class Split:
    """The people and pictures of one annotation file.

    Attributes:
        name: "train" or "val".
        file: `AnnotationFile`.
        image_dir: folder of the pictures.
        schema: KeypointSchema of the people.
        persons: `Persons`, everyone.
        remarks: what was filled in or not followed, a line each.
    """

    name: str
    file: AnnotationFile
    image_dir: Path
    schema: KeypointSchema
    persons: Persons
    remarks: list = field(default_factory=list)

    @property
    def images(self):
        """The `ImageTable`."""
        return self.file.images

    def picture(self, image):
        """Return the file of a picture."""
        return self.image_dir / self.images.files[image]

    def person(self, n, text):
        """Return an `Example` of a person."""
        persons = self.persons
        image = persons.image_index[n]
        size = self.images.sizes[image].tolist()
        return Example(
            f"{self.images.files[image]}, annotation {persons.ids[n]}: {text}",
            self.picture(image),
            tuple(size) if min(size) > 0 else None,
            persons.boxes_xywh[n],
            persons.keypoints[n],
            persons.visibility[n],
        )


def read_split(name, annotation_file, image_dir, *, category=None, flip_pairs=None):
    """Read a split as far as it can be followed.

    Args:
        name: of the split.
        annotation_file: COCO JSON.
        image_dir: folder of its pictures.
        category: see `load_people`.
        flip_pairs: see `load_people`.

    Returns:
        `Split`, and the problems met on the way.

    Raises:
        ValueError: naming the file, if it cannot be followed at all.
    """
    file = read_annotation_file(annotation_file)
    schema, category_ids, remarks = choose_schema(
        file, category=category, flip_pairs=flip_pairs
    )
    persons = file.persons(schema, category_ids)
    images = file.images
    images.files, renamed = names_on_disk(images.files, image_dir)
    if renamed:
        remarks.append(
            f"{renamed} pictures found under another spelling of their names"
        )
    try:
        remarks += settle_sizes(images, persons, image_dir)
    except ImageError as error:
        remarks.append(str(error))
    for counter in (persons.filled, persons.skipped):
        remarks += [f"{count} {what}" for what, count in counter.items()]
    split = Split(name, file, Path(image_dir), schema, persons, remarks)
    return split, [*_doubled_pictures(split), *_doubled_people(split), *_sides(split)]


def _doubled_pictures(split):
    """Ids that two pictures have: their people are on the wrong one."""
    doubled = split.file.doubled
    if doubled:
        examples = tuple(
            Example(f"id {number}: {first} and {other}")
            for number, first, other in doubled[:EXAMPLES]
        )
        count = len(doubled) + len(split.images.ids)
        kind = "image ids given to two pictures"
        yield Problem(kind, split.name, len(doubled), count, True, examples)


def _doubled_people(split):
    """Ids that two people have."""
    ids, counts = np.unique(split.persons.ids, return_counts=True)
    if (counts > 1).any():
        examples = tuple(
            Example(f"annotation id {number}, {count} times")
            for number, count in zip(
                ids[counts > 1][:EXAMPLES], counts[counts > 1], strict=False
            )
        )
        kind = "annotation ids given to several people"
        count = int(np.count_nonzero(counts > 1))
        yield Problem(kind, split.name, count, len(ids), False, examples)


def _sides(split):
    """Names that hold a side and have no partner: nothing can be mirrored."""
    if unpaired := split.schema.unpaired:
        examples = tuple(Example(name) for name in unpaired[:EXAMPLES])
        kind = "keypoints whose name holds a side, without a partner"
        count = split.schema.num_keypoints
        yield Problem(kind, split.name, len(unpaired), count, True, examples)
