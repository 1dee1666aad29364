"""The command `tools/benchmark.py`."""

import json

import pytest


@pytest.fixture(scope="module")
def benchmark(script):
    return script("tools/benchmark.py")


class Fake:
    """A benchmark of two kinds of rows."""

    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--size", type=int)

    @staticmethod
    def run(args):
        return [{"a": args.size}, {"a": 2}, {"b": 3.5}]


def test_rows_become_tables_and_json(benchmark, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "_module", lambda kind: Fake)
    path = tmp_path / "rows.json"
    benchmark.main(["data", "--size", "1", "--json", str(path)])
    assert json.loads(path.read_text()) == [{"a": 1}, {"a": 2}, {"b": 3.5}]
    printed = capsys.readouterr().out
    assert printed.count("┏") == 2  # tables
    assert "3.5" in printed


def test_only_the_chosen_benchmark_is_imported(benchmark, monkeypatch):
    asked = []

    def module(kind):
        asked.append(kind)
        return Fake

    monkeypatch.setattr(benchmark, "_module", module)
    benchmark.parse_arguments(["evaluation"])
    assert asked == ["evaluation"]


def test_an_unknown_kind_is_refused(benchmark):
    with pytest.raises(ValueError, match="invalid choice: 'speed'"):
        benchmark.parse_arguments(["speed"])
