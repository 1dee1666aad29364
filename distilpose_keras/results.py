"""What a model finds, in COCO's result format, for others to score."""

import numpy as np

from distilpose_keras.data.transforms import box_to_center_scale
from distilpose_keras.evaluation import predict_people
from distilpose_keras.geometry import PIXEL_STD
from distilpose_keras.oks import NMS_THRESHOLD, select_poses
from distilpose_keras.scoring import flat_triples


def coco_results(predictor, people, *, flip=False, batch_size=32, nms=NMS_THRESHOLD):
    """Find the keypoints of all people as `evaluate` does, and return them.

    Args:
        predictor: a `PosePredictor`.
        people: a `PeopleIndex`; its boxes are cropped.
        flip: average with the mirrored crops.
        batch_size: crops run at once.
        nms: OKS above which two poses of an image are one person.

    Returns:
        List of dicts, JSON values: ``image_id``, ``category_id``, ``keypoints`` (3 K
        numbers: x, y, score) and ``score`` of the person.
    """
    keypoints, scores = predict_people(
        predictor, people, flip=flip, batch_size=batch_size
    )
    _, scales = box_to_center_scale(
        people.boxes_xywh, input_size=predictor.input_size, geometry=predictor.geometry
    )
    person_scores = predictor.person_scores(scores, people.scores)
    image_ids = people.image_ids[people.image_index]
    kept = select_poses(
        image_ids,
        keypoints,
        np.prod(scales * PIXEL_STD, axis=1),
        person_scores,
        people.schema.sigmas,
        threshold=nms,
    )
    triples = flat_triples(keypoints, scores)
    return [
        {
            "image_id": int(image_ids[n]),
            "category_id": int(people.category_ids[0]),
            "keypoints": triples[n],
            "score": float(person_scores[n]),
        }
        for n in np.asarray(kept)
    ]
