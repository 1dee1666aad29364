"""Which categories of an annotation file are meant, and what their keypoints are."""

from distilpose_keras.data.annotation_fields import whole_number
from distilpose_keras.keypoint_names import canonical_name, match_names
from distilpose_keras.keypoints import COCO_17, KeypointSchema
from distilpose_keras.skeletons import skeleton_lines


def choose_schema(file, schema=None, category=None, flip_pairs=None):
    """Return the schema of a file's people, and the categories that have it.

    Categories with the same keypoint names are read together.

    Args:
        file: `AnnotationFile`.
        schema: KeypointSchema that is wanted, or None for the file's own.
        category: name or id of the one category to read, or None.
        flip_pairs: see `KeypointSchema.with_flip_pairs`; None to go by the names.

    Returns:
        KeypointSchema, ids of the categories, and notes on what was not followed.

    Raises:
        ValueError: naming the file, if no category fits or it is not clear which.
    """
    groups = _by_names(_named(file, category))
    if schema is not None:
        groups = _fitting(file.path, groups, schema)
    if len(groups) > 1:
        names = [c.get("name", c["id"]) for group in groups.values() for c in group]
        raise ValueError(
            f"{file.path} has more than one keypoint category, with other keypoints "
            f"each; choose one (category). Received: {names}"
        )
    ((names, categories),) = groups.items()
    ids = tuple(category["id"] for category in categories)
    if schema is not None:
        if flip_pairs is not None:
            schema = schema.with_flip_pairs(flip_pairs)
        return schema, ids, _differences(schema.names, names)
    schema = KeypointSchema.from_coco_category(categories[0], flip_pairs=flip_pairs)
    return schema, ids, _remarks(schema, categories[0])


def _named(file, category):
    """The categories that name keypoints, or the one that was asked for."""
    named = [
        entry
        for entry in file.categories
        if isinstance(entry.get("keypoints"), list) and entry["keypoints"]
    ]
    if not named:
        raise ValueError(
            f"{file.path} is not a keypoint file: no category names keypoints"
        )
    if category is None:
        return named
    wanted = [c for c in named if str(c.get("name")) == str(category)]
    number = whole_number(category)
    wanted = wanted or [c for c in named if c["id"] == number]
    if not wanted:
        has = ", ".join(f"{c.get('name')} ({c['id']})" for c in named)
        raise ValueError(
            f"{file.path}: category must be one of {has}. Received: {category!r}"
        )
    return wanted


def _by_names(categories):
    """Categories by the tuple of their keypoint names."""
    groups = {}
    for category in categories:
        names = tuple(str(name) for name in category["keypoints"])
        groups.setdefault(names, []).append(category)
    return groups


def _fitting(path, groups, schema):
    """The groups whose keypoints are the schema's, the same ones if there are any."""
    if schema.names in groups:
        return {schema.names: groups[schema.names]}
    fitting, refusal = {}, None
    for names, group in groups.items():
        try:
            match_names(schema.names, names)
        except ValueError as error:
            refusal = error
        else:
            fitting[names] = group
    if not fitting:
        raise ValueError(f"{path}: {refusal}")
    same = {n: g for n, g in fitting.items() if len(n) == schema.num_keypoints}
    return same or fitting


def _differences(wanted, found):
    """Notes on keypoints that only the schema or only the file has."""
    places = match_names(wanted, found)
    spelled = [canonical_name(name) for name in found]
    if not {canonical_name(name) for name in wanted} & set(spelled):
        return ["keypoints are taken in order: their names say nothing in common"]
    notes = []
    absent = [name for name, at in zip(wanted, places, strict=True) if at < 0]
    if absent:
        notes.append(f"no labels of {', '.join(absent)}")
    dropped = [name for n, name in enumerate(found) if n not in places]
    if dropped:
        notes.append(f"labels of {', '.join(dropped)} are not used")
    return notes


def _remarks(schema, category):
    """Notes on what of a category was not followed."""
    notes = []
    _, dropped = skeleton_lines(category.get("skeleton"), schema.names)
    if dropped:
        notes.append(f"{dropped} lines of the skeleton cannot be drawn")
    known = {canonical_name(name) for name in schema.names} & set(COCO_17.names)
    unknown = schema.num_keypoints - len(known)
    if known and unknown:
        notes.append(f"{unknown} keypoints that COCO does not know score with 0.05")
    return notes
