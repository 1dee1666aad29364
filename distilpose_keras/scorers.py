"""COCO's keypoint figures by hotcoco where it is installed, else by pycocotools.

Both take the annotations and the poses in COCO's format and return the same figures;
pycocotools is the reference, hotcoco (Rust) takes a fraction of its time.
"""

import contextlib
import gc
import io
import re

import numpy as np

from distilpose_keras.close_calls import any_close_call

# The oldest hotcoco whose figures were compared with pycocotools'.
OLDEST_HOTCOCO = (1, 3)


@contextlib.contextmanager
def paused_collector():
    """Make many objects without Python's collector walking all there are meanwhile.

    Beside a loaded backend its walks take longer than the work.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def coco_figures(dataset, image_ids, points, scores, sigmas):
    """Score poses by the fastest scorer whose figures are pycocotools' own.

    Args:
        dataset: dict of ``images``, ``annotations`` and ``categories`` in COCO's
            format; ids of images and annotations count from 1, every annotation has
            all fields.
        image_ids: (N,) the image of each pose, one of the data set.
        points: (N, K, 2) finite keypoints in pixels.
        scores: (N,) finite person scores.
        sigmas: (K,) OKS standard deviations.

    Returns:
        Ten floats in pycocotools' order, -1 where the data has no person.
    """
    sigmas = np.asarray(sigmas, np.float64)
    results = _results(image_ids, points, scores)
    hotcoco = find_hotcoco()
    if hotcoco and not any_close_call(
        dataset["annotations"], image_ids, points, sigmas
    ):
        # Whatever is wrong with an optional package, pycocotools scores all the same.
        with contextlib.suppress(Exception):
            return hotcoco_figures(hotcoco, dataset, results, sigmas)
    return pycocotools_figures(dataset, results, sigmas)


def _results(image_ids, points, scores):
    """Poses in COCO's result format."""
    flat = np.ones((*points.shape[:2], 3))
    flat[..., :2] = points
    columns = (
        image_ids.tolist(),
        flat.reshape(len(flat), 3 * points.shape[1]).tolist(),
        scores.tolist(),
    )
    return [
        {"image_id": image_id, "category_id": 1, "keypoints": row, "score": score}
        for image_id, row, score in zip(*columns, strict=True)
    ]


def find_hotcoco():
    """The module ``hotcoco``; None if it is absent, broken or too old."""
    try:
        import hotcoco

        numbers = re.match(r"(\d+)\.(\d+)", hotcoco.__version__).groups()
    except Exception:
        return None
    return hotcoco if tuple(map(int, numbers)) >= OLDEST_HOTCOCO else None


def hotcoco_figures(hotcoco, dataset, results, sigmas):
    """Score ``results`` (COCO's format) with the module ``hotcoco``.

    Raises:
        Exception: if the module does not work as its version 1.3 does.
    """
    truth = hotcoco.COCO(dataset)
    evaluation = hotcoco.COCOeval(truth, truth.load_res(results), "keypoints")
    evaluation.params.kpt_oks_sigmas = sigmas
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summary_lines()  # `summarize` would print
    return _ten_floats(evaluation.stats)


def pycocotools_figures(dataset, results, sigmas):
    """Score ``results`` (COCO's format) with pycocotools."""
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
        evaluation.params.kpt_oks_sigmas = sigmas
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
