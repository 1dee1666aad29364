"""How many people a finder finds, how much else, and how long it takes."""

import time
from pathlib import Path

from distilpose_keras.box_scoring import WANTED_PRECISION, score_finder
from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.detection import PRESET, PersonFinder

LOWEST = 0.05  # score of the boxes whose order is judged


def run(args):
    """Measure, and return the row of the table as a list.

    ``precision`` and ``recall`` are at the finder's own threshold, ``best_recall`` at
    the one of this very data set that makes ``WANTED_PRECISION`` of the boxes right.
    ``ms`` is processor time, per picture: reduction, network and selection.

    Args:
        args: namespace of the arguments of ``distilpose benchmark finder``.
    """
    model = args.model or str(PRESET)
    finder = PersonFinder(model, num_threads=args.threads)
    own, finder.threshold = finder.threshold, min(LOWEST, finder.threshold)
    people = load_people(*coco_paths(args.data, args.split), require_keypoints=False)
    spent = []

    def find(image):
        start = time.process_time()
        found = finder.find(image)
        spent.append(time.process_time() - start)
        return found

    matches = score_finder(
        find,
        people,
        smallest_area=args.smallest_area,
        limit=args.limit,
        progress=True,
    )
    precision, recall = matches.at(own)
    return [
        {
            "finder": Path(model).name,
            "pictures": len(spent),
            "people": matches.people,
            "threshold": own,
            "precision": round(precision, 3),
            "recall": round(recall, 3),
            f"best_recall_at_{WANTED_PRECISION}": round(matches.best_recall(), 3),
            "AP50": round(matches.average_precision(), 3),
            "ms": round(1e3 * sum(spent) / max(len(spent), 1), 1),
        }
    ]
