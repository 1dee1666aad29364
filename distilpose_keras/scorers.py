"""COCO's keypoint figures by hotcoco where it is installed, else by pycocotools.

Both take the annotations and the poses in COCO's format and return the same figures;
pycocotools is the reference, hotcoco (Rust) takes a fraction of its time.
"""

import contextlib
import io
import re

import numpy as np

# The oldest hotcoco whose figures were compared with pycocotools'.
OLDEST_HOTCOCO = (1, 3)
MAX_POSES = 20  # of an image, the best ones: what COCO's keypoint evaluation reads
# As pycocotools spaces them: a similarity may lie on a threshold to the last bit.
OKS_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


def coco_figures(dataset, results, sigmas):
    """Score poses by the fastest scorer at hand.

    Args:
        dataset: dict of ``images``, ``annotations`` and ``categories`` in COCO's
            format; ids of images and annotations count from 1, every annotation has
            all fields.
        results: list of dicts in COCO's result format, of listed images, with finite
            numbers.
        sigmas: (K,) OKS standard deviations.

    Returns:
        Ten floats in pycocotools' order, -1 where the data has no person.
    """
    hotcoco = find_hotcoco()
    if hotcoco is not None:
        # Whatever is wrong with an optional package, pycocotools scores all the same.
        with contextlib.suppress(Exception):
            return hotcoco_figures(hotcoco, dataset, results, sigmas)
    return pycocotools_figures(dataset, results, sigmas)


def find_hotcoco():
    """The module ``hotcoco``; None if it is absent, broken or too old."""
    try:
        import hotcoco

        numbers = re.match(r"(\d+)\.(\d+)", hotcoco.__version__).groups()
    except Exception:
        return None
    return hotcoco if tuple(map(int, numbers)) >= OLDEST_HOTCOCO else None


def hotcoco_figures(hotcoco, dataset, results, sigmas):
    """Score with the module ``hotcoco``; see `coco_figures`.

    Raises:
        Exception: if the module does not work as its version 1.3 does.
    """
    truth = hotcoco.COCO(dataset)
    evaluation = hotcoco.COCOeval(truth, truth.load_res(results), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
    evaluation.params.iouThrs = OKS_THRESHOLDS
    evaluation.params.recThrs = RECALLS
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summary_lines()  # `summarize` would print
    return _ten_floats(evaluation.stats)


def pycocotools_figures(dataset, results, sigmas):
    """Score with pycocotools; see `coco_figures`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = COCO(), COCO()
        truth.dataset = dataset
        truth.createIndex()
        if results:
            found = truth.loadRes(results)
        else:  # loadRes fails on an empty list
            found.dataset = {**dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return _ten_floats(evaluation.stats)


def _ten_floats(stats):
    """The figures as a list, or a ValueError if they are not ten."""
    figures = [float(value) for value in stats]
    if len(figures) != 10 or not np.isfinite(figures).all():
        raise ValueError(f"a scorer must return ten figures. Received: {figures}")
    return figures
