"""The people of an annotation file as what COCO's evaluation reads."""

import numpy as np

from distilpose_keras.data.annotation_file import read_annotation_file


def truth_document(people):
    """Describe the people behind a `PeopleIndex` in COCO's format.

    They are read and filled as `load_people` does. People are numbered from 1, because
    pycocotools takes a match with annotation 0 for no match.

    Args:
        people: a `PeopleIndex` of annotations.

    Returns:
        dict with ``images``, ``annotations`` (of category 1) and ``categories``, and
        whether the index covers the whole file: people it lacks have ``num_keypoints``
        0, which is what COCO's evaluation ignores.
    """
    file = read_annotation_file(people.annotation_file)
    persons = file.persons(people.schema, people.category_ids)
    complete = len(people) + sum(people.skipped.values()) == file.rows.count
    counts = np.full(len(persons), complete) | np.isin(persons.entries, people.entries)
    labelled = np.count_nonzero(persons.visibility, axis=1)
    triples = np.concatenate(
        [persons.keypoints, persons.visibility[..., None]], axis=-1, dtype=np.float64
    )
    image_ids = file.images.ids[persons.image_index]
    annotations = [
        {
            "id": n + 1,
            "image_id": int(image_ids[n]),
            "category_id": 1,
            "keypoints": triples[n].ravel().tolist(),
            "num_keypoints": int(labelled[n]) if counts[n] else 0,
            "bbox": persons.boxes_xywh[n].tolist(),
            "area": float(persons.areas[n]),
            "iscrowd": int(persons.crowds[n]),
        }
        for n in range(len(persons))
    ]
    document = {
        "images": [{"id": int(image_id)} for image_id in file.images.ids],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }
    return document, complete
