"""Poses as JSON lines: whole lines whatever happens, and what is made of them."""

import json
import resource
import signal

import pytest

from distilpose_keras.pose_lines import PoseLines, people_of, write_results

PERSON = {"category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, "keypoints": [7, 8, 1]}
RECORDS = [
    {"file_name": "a.jpg", "image_id": 1, "width": 9, "height": 9, "people": [PERSON]},
    {"file_name": "b.jpg", "image_id": 2, "error": "image is truncated: b.jpg"},
    {"file_name": "w.avi", "image_id": 3, "frame": 1, "people": [PERSON, PERSON]},
]


@pytest.fixture
def lines(tmp_path):
    lines = PoseLines(tmp_path / "out" / "poses.jsonl")
    yield lines
    lines.close()


def test_a_line_is_there_as_soon_as_it_is_appended(lines):
    assert not lines.path.exists()
    for count, record in enumerate(RECORDS, 1):
        lines.append(record)
        read = [json.loads(line) for line in lines.path.read_text().splitlines()]
        assert read == RECORDS[:count]
    assert (lines.pictures, lines.people) == (3, 3)
    assert list(lines) == list(lines) == RECORDS


def test_people_become_results_of_coco(lines, tmp_path):
    write_results(tmp_path / "none.json", lines)
    assert json.loads((tmp_path / "none.json").read_text()) == []
    for record in RECORDS:
        lines.append(record)
    lines.path.unlink()  # what was written can still be read
    write_results(tmp_path / "poses.json", lines)
    entries = json.loads((tmp_path / "poses.json").read_text())
    assert entries == list(people_of(RECORDS))
    assert [entry["file_name"] for entry in entries] == ["a.jpg", "w.avi", "w.avi"]
    assert entries[0] == {"file_name": "a.jpg", "image_id": 1, **PERSON}
    assert entries[1]["frame"] == 1


def test_a_full_disk_leaves_whole_lines(lines):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="[Ff]ile too large"):
            for _ in range(100):
                lines.append(RECORDS[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    read = [json.loads(line) for line in lines.path.read_text().splitlines()]
    assert 3 < len(read) == lines.pictures and read[-1] == RECORDS[0]
