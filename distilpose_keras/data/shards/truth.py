"""What an evaluation on shards scores against: a COCO file beside them."""

import numpy as np

from distilpose_keras.data.people_index import PeopleIndex
from distilpose_keras.data.shards.records import picture_file
from distilpose_keras.data.truth import truth_document
from distilpose_keras.types import Json


def truth_of(people: PeopleIndex) -> Json:
    """Describe packed people for an evaluation, as a COCO file of what is in shards.

    Args:
        people: PeopleIndex that is packed.

    Returns:
        COCO document of the pictures with people. Its annotations are all that the
        annotation file has of them: crowds and people without keypoints too, whom an
        evaluation ignores. Pictures are named as in the shards.
    """
    document, _ = truth_document(people)
    images = np.unique(people.image_index)
    ids = people.image_ids[images].tolist()
    sizes = people.image_sizes[images].tolist()
    document["images"] = [
        {
            "id": ids[n],
            "file_name": picture_file(n, people.image_files[image]),
            "height": sizes[n][0],
            "width": sizes[n][1],
        }
        for n, image in enumerate(images)
    ]
    known = set(ids)
    document["annotations"] = [
        entry for entry in document["annotations"] if entry["image_id"] in known
    ]
    # COCO counts the ends of lines from 1.
    skeleton = [[a + 1, b + 1] for a, b in people.schema.skeleton]
    category = {"keypoints": list(people.schema.names), "skeleton": skeleton}
    document["categories"] = [{"id": 1, "name": "person", **category}]
    return document
