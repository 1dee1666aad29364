"""Commands as their users run them, and a model to run them with."""

import pytest

from distilpose_keras import cli
from distilpose_keras.models.model import build_model


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """File of a very small student."""
    path = tmp_path_factory.mktemp("model") / "student.keras"
    build_model("demo_student", transformer={"layers": 1}, backbone={"blocks": 1}).save(
        path
    )
    return path


@pytest.fixture
def command(script):
    """Make a function that runs a command and returns its exit code."""

    def make(path):
        main = script(path).main

        def run(*arguments):
            with pytest.raises(SystemExit) as ended:
                cli.run(main, [str(argument) for argument in arguments])
            return ended.value.code

        return run

    return make
