import json

import pytest

from distilpose_keras.data import json_stream
from distilpose_keras.data.json_stream import read_members

DOCUMENT = {
    "info": {"text": 'brackets ]}, quotes " and \\ and ü', "none": None},
    "images": [{"id": n, "size": [1.5e-3, -n]} for n in range(20)],
    "empty": [],
    "annotations": [[], {}, "x", 12345678, -1.25, True, None, {"a": [[1], [2]]}],
    "last": 1234567,
}


def read(path, streamed=("images", "annotations", "empty")):
    return {
        name: list(value) if name in streamed else value
        for name, value in read_members(path, set(streamed))
    }


@pytest.mark.parametrize("chunk", [1, 2, 7, 100, 1 << 22])
@pytest.mark.parametrize("indent", [None, 3])
def test_what_is_read_in_pieces_is_what_json_reads(
    tmp_path, monkeypatch, chunk, indent
):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(DOCUMENT, indent=indent))
    assert read(path) == DOCUMENT


def test_an_empty_object_has_no_members(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(" { } ")
    assert read(path) == {}


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "must hold a JSON object"),
        ("[1]", "must hold a JSON object"),
        ('{"images": [{"id": 1}, {"id"', "not valid JSON"),
        ('{"images": [1 2]}', "not valid JSON"),
        ('{"images": {}}', "'images' must be an array"),
        ('{"info": 1, "images": [1]', "not valid JSON"),
        ('{"info" 1}', "not valid JSON"),
    ],
)
def test_what_is_not_such_a_file_is_named(tmp_path, text, problem):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem) as error:
        read(path)
    assert "broken.json" in str(error.value)


def test_bytes_that_are_not_text_are_named(tmp_path):
    path = tmp_path / "broken.json"
    path.write_bytes(b'{"images": ["\xff\xfe"]}')
    with pytest.raises(ValueError, match=r"broken\.json is not UTF-8"):
        read(path)
