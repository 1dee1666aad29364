"""What editors see of the package: its public names and their types."""

import ast
import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import distilpose_keras

STUB = Path(distilpose_keras.__file__).with_name("__init__.pyi")


def test_stub_imports_each_public_name_from_its_home():
    homes = {
        name.name: node.module.removeprefix("distilpose_keras.")
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert homes == distilpose_keras._HOME


def test_stub_lists_the_public_names():
    (names,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.Assign)
    )
    assert names == distilpose_keras.__all__


def test_package_says_that_it_has_types():
    assert STUB.with_name("py.typed").is_file()


@pytest.mark.parametrize("name", distilpose_keras.__all__)
def test_signature_of_public_name_has_types(name):
    thing = getattr(distilpose_keras, name)
    if not callable(thing):
        return
    functions = [inspect.unwrap(thing)]
    if isinstance(thing, type):
        functions = [
            getattr(value, "__func__", value)
            for key, value in vars(thing).items()
            if not key.startswith("_") or key == "__init__"
        ]
    bare = [
        f"{function.__qualname__}({argument})"
        for function in functions
        if hasattr(function, "__code__")
        if function.__module__.startswith("distilpose_keras")  # not a Protocol's
        for argument in _arguments(function)
        if argument not in function.__annotations__
    ]
    assert not bare


def _arguments(function):
    """Names of a function's arguments and "return", without what it is bound to."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return [name for name in (*names, "return") if name not in ("self", "cls")]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pyright"), reason="pyright is not installed")
def test_programs_of_users_have_no_type_error():
    command = ["pyright", "-p", ".", "--pythonpath", sys.executable, "--outputjson"]
    result = subprocess.run(
        command,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] > 0
    found = [
        f"{item['range']['start']['line'] + 1}: {item['message']}"
        for item in report["generalDiagnostics"]
    ]
    assert not found
