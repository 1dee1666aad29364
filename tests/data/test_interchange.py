"""COCO's layout to YOLO-pose and back: the same people."""

import numpy as np
import pytest

from distilpose_keras.data.coco import coco_paths, load_people
from distilpose_keras.data.interchange import coco_to_yolo, yolo_to_coco
from distilpose_keras.synthetic.dataset import render_dataset


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    out = tmp_path_factory.mktemp("rendered") / "people"
    return render_dataset(out, train_images=6, val_images=3, workers=1)


def test_there_and_back(rendered, tmp_path):
    counts = coco_to_yolo(rendered, tmp_path / "yolo")
    assert [pictures for pictures, _ in counts.values()] == [6, 3]
    back = yolo_to_coco(tmp_path / "yolo" / "data.yaml", tmp_path / "coco")
    assert back == counts
    for split in ("train", "val"):
        read = {"require_keypoints": False}
        before = load_people(*coco_paths(rendered, split), **read)
        after = load_people(*coco_paths(tmp_path / "coco", split), **read)
        assert after.schema == before.schema
        assert sorted(after.image_files) == sorted(before.image_files)
        order = np.argsort(
            [before.image_files[n] for n in before.image_index], kind="stable"
        )
        # Six digits of a fraction of 320 pixels.
        close = {"atol": 1e-3, "rtol": 0}
        seen = (before.visibility > 0)[..., None]
        points = (before.keypoints * seen)[order]
        np.testing.assert_allclose(after.keypoints, points, **close)
        np.testing.assert_array_equal(after.visibility, before.visibility[order])
        np.testing.assert_allclose(
            after.boxes_xywh, before.boxes_xywh[order], atol=2e-3, rtol=0
        )


def test_a_folder_with_contents_is_left_alone(rendered, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ValueError, match="must be empty or absent"):
        coco_to_yolo(rendered, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing(rendered, tmp_path):
    coco_to_yolo(rendered, tmp_path / "yolo")
    damaged = next((tmp_path / "yolo" / "labels" / "val").iterdir())
    damaged.write_text("0 1 2")
    with pytest.raises(ValueError, match=f"{damaged.name}, line 1"):
        yolo_to_coco(tmp_path / "yolo" / "data.yaml", tmp_path / "coco")
    assert [p.name for p in tmp_path.iterdir()] == ["yolo"]
