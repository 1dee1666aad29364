"""Figures of a split: classes, sizes, visibility."""

import numpy as np

from distilpose_keras.data.annotation_fields import NO_ID

PERCENTILES = (5, 50, 95)


def split_statistics(split):
    """Describe a split in numbers.

    Args:
        split: `Split`.

    Returns:
        JSON-ready dict: counts of pictures and people, of people by category, of labels
        by keypoint; percentiles of the heights of pictures and boxes.
    """
    persons = split.persons
    labelled = np.count_nonzero(persons.visibility, axis=1)
    pictures = len(split.images.ids)
    people = np.bincount(persons.image_index, minlength=pictures)
    return {
        "pictures": pictures,
        "pictures_without_people": int(np.count_nonzero(people == 0)),
        "people": len(persons),
        "people_with_keypoints": int(np.count_nonzero(labelled)),
        "crowds": int(np.count_nonzero(persons.crowds)),
        "most_people_in_a_picture": int(people.max(initial=0)),
        "keypoints_per_person": _mean(labelled[labelled > 0]),
        "picture_height": _percentiles(split.images.sizes[:, 0]),
        "picture_width": _percentiles(split.images.sizes[:, 1]),
        "box_height": _percentiles(persons.boxes_xywh[:, 3]),
        "categories": _categories(split),
        "visibility": _visibility(split),
    }


def _mean(values):
    return round(float(values.mean()), 2) if len(values) else 0.0


def _percentiles(values):
    """Percentiles 5, 50 and 95."""
    if not len(values):
        return [0.0] * len(PERCENTILES)
    return [round(float(v), 1) for v in np.percentile(values, PERCENTILES)]


def _categories(split):
    """People of each category of the file, by its name."""
    ids, counts = np.unique(split.file.rows.categories, return_counts=True)
    names = {c["id"]: str(c.get("name", c["id"])) for c in split.file.categories}
    names[NO_ID] = "not given"
    return {
        names.get(number, str(number)): count
        for number, count in zip(ids.tolist(), counts.tolist(), strict=True)
    }


def _visibility(split):
    """How many people have each keypoint not labelled, hidden, visible."""
    visibility = split.persons.visibility
    has = visibility[visibility.any(axis=1)]
    return {
        name: [int(np.count_nonzero(has[:, k] == flag)) for flag in (0, 1, 2)]
        for k, name in enumerate(split.schema.names)
    }
