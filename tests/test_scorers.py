"""hotcoco against pycocotools, and what happens without a hotcoco that works."""

import subprocess
import sys
import types

import numpy as np
import pytest

from distilpose_keras import scorers
from distilpose_keras.benchmarks import scoring_set
from distilpose_keras.close_calls import any_close_call
from distilpose_keras.keypoints import COCO_17

DIGITS = 1e-9


@pytest.fixture
def hotcoco():
    return pytest.importorskip("hotcoco")


def generated(images=40, num_keypoints=17, seed=0):
    """A data set for `coco_figures`, and poses with their sigmas."""
    rng = np.random.default_rng(seed)
    data = scoring_set.make_annotations(images, seed=seed)
    poses = scoring_set.make_poses(data, COCO_17.sigmas, seed=seed)
    for person in data["annotations"]:
        person["keypoints"] = person["keypoints"][: 3 * num_keypoints]
        flags = person["keypoints"][2::3]
        person["num_keypoints"] = int(np.count_nonzero(flags))
    sigmas = rng.uniform(0.02, 0.12, num_keypoints)
    points = poses.keypoints[:, :num_keypoints].copy()
    data["images"] = [{"id": image["id"] + 1} for image in data["images"]]
    for person in data["annotations"]:
        person["image_id"] += 1
    return data, poses.image_ids + 1, points, poses.box_scores.copy(), sigmas


def awkward(given, seed=0):
    """The same with what is rare in COCO's own files."""
    rng = np.random.default_rng(seed)
    data, ids, points, scores, sigmas = given
    areas = [
        0,
        -4,
        32**2,
        96**2,
        np.nextafter(32**2, 0),
        np.nextafter(96**2, 1e5),
        1e11,
    ]
    for person in data["annotations"]:
        if rng.random() < 0.3:
            person["area"] = float(rng.choice(areas))
        if rng.random() < 0.1:  # of a crowd with keypoints
            person["iscrowd"] = 1
        if rng.random() < 0.1:  # not what the keypoints say
            person["num_keypoints"] = int(rng.integers(0, 3))
        if rng.random() < 0.1:
            person["bbox"] = [0, 0, 0, 0]
    # The people themselves, of each a second time as well.
    people = data["annotations"]
    for place, n in enumerate(rng.integers(0, len(people), len(ids) // 4)):
        ids[place] = people[n]["image_id"]
        points[place] = np.reshape(people[n]["keypoints"], (-1, 3))[:, :2]
    # The pose's own area on the border of two sizes.
    points[-20:, 0], points[-20:, 1:] = (0, 0), (32, 32)
    return data, ids, points, scores.round(1) - 0.5, sigmas  # ties, and below 0


def both(hotcoco, data, ids, points, scores, sigmas):
    """The figures by hotcoco and by pycocotools."""
    results = scorers._results(ids, points, scores)
    fast = scorers.hotcoco_figures(hotcoco, data, results, sigmas)
    return fast, scorers.pycocotools_figures(data, results, sigmas)


def test_the_generated_set_has_what_cocos_has():
    data, ids, *_ = generated(images=500)
    people = data["annotations"]
    labelled = [person for person in people if person["num_keypoints"]]
    assert len(people) == pytest.approx(1100, abs=1)
    assert len(labelled) == pytest.approx(635, rel=0.1)
    assert 10 < sum(person["iscrowd"] for person in people) < 40
    assert any(person["iscrowd"] for person in labelled)
    assert len(ids) == 9500
    per_image = np.bincount(ids, minlength=501)[1:]
    assert per_image.min() == 0
    assert per_image.max() > 60


@pytest.mark.parametrize("num_keypoints", [1, 2, 17])
@pytest.mark.parametrize("change", [lambda given: given, awkward])
def test_both_scorers_give_the_same_figures(hotcoco, num_keypoints, change):
    given = change(generated(num_keypoints=num_keypoints, seed=num_keypoints))
    fast, expected = both(hotcoco, *given)
    np.testing.assert_allclose(fast, expected, rtol=0, atol=DIGITS)
    assert 0.02 < expected[0] < 0.98


@pytest.mark.parametrize("poses", [0, 1])
@pytest.mark.parametrize("people", [0, 1])
def test_both_scorers_agree_where_nearly_nothing_is(hotcoco, poses, people):
    data, ids, points, scores, sigmas = generated()
    data["annotations"] = [p for p in data["annotations"] if p["area"] > 1e4][:people]
    given = data, ids[:poses], points[:poses], scores[:poses], sigmas
    fast, expected = both(hotcoco, *given)
    assert fast == expected
    assert (expected[0] == -1) == (people == 0)


def person(points, **fields):
    """An annotation, all of whose keypoints are visible."""
    triples = np.concatenate([points, np.full((len(points), 1), 2)], axis=1)
    return {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "keypoints": triples.ravel().tolist(),
        "num_keypoints": len(points),
        "bbox": [0, 0, 90, 90],
        "area": 5000.0,
        "iscrowd": 0,
        **fields,
    }


def one_image(*people):
    people = [{**person, "id": n} for n, person in enumerate(people, 1)]
    category = {"id": 1, "name": "person"}
    return {"images": [{"id": 1}], "annotations": people, "categories": [category]}


def on_a_threshold(rng):
    """A person, and a pose whose similarity is a threshold but for rounding."""
    count = int(rng.integers(1, 20))
    sigmas = rng.uniform(0.03, 0.1, count)
    points = rng.uniform(0, 90, (count, 2))
    distance = np.sqrt(-np.log(rng.choice(np.arange(50, 100, 5)) / 100) * 2 * 5000)
    pose = points + [1, 0] * (distance * 2 * sigmas)[:, None]
    return one_image(person(points)), pose[None], sigmas


def between_two_people(rng):
    """A pose as near to one person as to another, but for rounding, and a worse pose.

    The worse one finds its person only where the better one takes the other.
    """
    count = int(rng.integers(2, 20))
    sigmas = rng.uniform(0.03, 0.1, count)
    points = rng.uniform(0, 90, (count, 2))
    offset = rng.uniform(-2, 2, (count, 2))
    people = person(points - offset), person(points + offset)
    poses = [points, points - 2.5 * offset]
    return one_image(*people), np.array(poses), sigmas


@pytest.mark.parametrize("make", [on_a_threshold, between_two_people])
def test_matches_that_hang_on_rounding_are_pycocotools_own(hotcoco, make):
    rng = np.random.default_rng(0)
    differing = 0
    for _ in range(100):
        data, points, sigmas = make(rng)
        scores = 1 / np.arange(1, len(points) + 1)
        given = data, np.ones(len(points), int), points, scores
        fast, expected = both(hotcoco, *given, sigmas)
        differing += not np.allclose(fast, expected, rtol=0, atol=DIGITS)
        assert any_close_call(data["annotations"], given[1], points, sigmas)
        assert scorers.coco_figures(*given, sigmas) == expected
    assert differing > 0  # so these are what hotcoco cannot decide


def test_hotcoco_is_used_where_it_is_at_hand(hotcoco, monkeypatch):
    expected = scorers.coco_figures(*generated())
    monkeypatch.delattr(scorers, "pycocotools_figures")
    assert scorers.coco_figures(*generated()) == expected


def fake(version="1.3.0", **members):
    module = types.ModuleType("hotcoco")
    vars(module).update({"__version__": version, **members})
    return module


@pytest.mark.parametrize(
    "module",
    [None, fake("1.2.9"), fake("0.9"), fake("unknown"), types.ModuleType("hotcoco")],
    ids=["absent", "old", "older", "strange", "empty"],
)
def test_a_hotcoco_that_will_not_do_is_not_used(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "hotcoco", module)
    assert scorers.find_hotcoco() is None


@pytest.mark.parametrize("version", ["1.3.0", "1.10.2", "2.0rc1"])
def test_a_newer_hotcoco_is_used(monkeypatch, version):
    module = fake(version)
    monkeypatch.setitem(sys.modules, "hotcoco", module)
    assert scorers.find_hotcoco() is module


class NineFigures:
    """An evaluation of another version."""

    def __init__(self, *_):
        self.params = types.SimpleNamespace()
        self.stats = [0.5] * 9

    def load_res(self, results):
        return self

    def nothing(self):
        pass

    evaluate = accumulate = summary_lines = nothing


@pytest.mark.parametrize(
    "module",
    [fake(), fake(COCO=NineFigures), fake(COCO=NineFigures, COCOeval=NineFigures)],
    ids=["no COCO", "no COCOeval", "nine figures"],
)
def test_pycocotools_scores_where_hotcoco_breaks(monkeypatch, module, capfd):
    given = generated()
    monkeypatch.setitem(sys.modules, "hotcoco", module)
    figures = scorers.coco_figures(*given)
    monkeypatch.setitem(sys.modules, "hotcoco", None)
    assert figures == scorers.coco_figures(*given)
    assert capfd.readouterr() == ("", "")


def test_a_broken_library_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "hotcoco.py").write_text("raise OSError('wrong architecture')\n")
    monkeypatch.delitem(sys.modules, "hotcoco", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert scorers.find_hotcoco() is None


def test_scorers_are_imported_when_they_score():
    code = (
        "import sys, distilpose_keras, distilpose_keras.scoring as s;"
        "assert not {'hotcoco', 'pycocotools'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
