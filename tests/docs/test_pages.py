"""Every code block of the documentation runs, or says why it does not.

A page's blocks run in order, in a folder with `people` (a small data set in COCO's
layout), `photo.jpg`, `walk.mp4`, `student.keras` and `teacher.keras`. A block after a
line ``<!-- not run: REASON -->`` is left out.
"""

import numpy as np
import pytest

from tests.docs.pages import BLOCK, PAGES, make_material, run_page

ELSEWHERE = ["own_keypoints.md"]  # runs in tests/web, on to the browser


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return make_material(tmp_path_factory.mktemp("material"))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_the_code_of_a_page_runs(page, material, tmp_path, monkeypatch):
    for path in material.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    arrays = [v for v in run_page(page).values() if isinstance(v, np.ndarray)]
    assert all(np.isfinite(v).all() for v in arrays)


def test_what_a_block_is():
    plain, left_out = "```python\na\n```\n\n", "<!-- not run: x -->\n```sh\nb\n```\n\n"
    found = BLOCK.finditer(plain + left_out + plain + left_out)
    kinds = [(b["kind"], bool(b["not_run"])) for b in found]
    assert kinds == [("python", False), ("sh", True)] * 2
