"""Commands as their users run them, and models to run them with."""

import pytest

from distilpose_keras.commands.main import main


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """File of a very small student."""
    from distilpose_keras.models.model import build_model

    path = tmp_path_factory.mktemp("model") / "student.keras"
    build_model("demo_student", transformer={"layers": 1}, backbone={"blocks": 1}).save(
        path
    )
    return path


@pytest.fixture
def command(monkeypatch):
    """Make a function that runs a command in this process; it returns the exit code."""
    monkeypatch.delenv("DISTILPOSE_DEBUG", raising=False)

    def make(name):
        def run(*arguments):
            with pytest.raises(SystemExit) as ended:
                main([name, *map(str, arguments)])
            return ended.value.code

        return run

    return make


@pytest.fixture
def mistake(capsys):
    """The one line that a user's mistake has printed, as its last."""

    def line():
        lines = capsys.readouterr().err.strip().splitlines()
        (found,) = [line for line in lines if line.startswith("error: ")]
        assert found == lines[-1]
        assert "Traceback" not in lines
        return found

    return line
