import pytest

from distilpose_keras import cli


def exit_code(main):
    with pytest.raises(SystemExit) as stop:
        cli.run(main, [])
    return stop.value.code


def raises(error):
    def main(argv):
        raise error

    return main


@pytest.mark.parametrize(
    "error", [ValueError("bad\nbox"), FileNotFoundError("bad\nbox")]
)
def test_a_users_mistake_is_one_line_and_exit_2(error, capsys, monkeypatch):
    monkeypatch.delenv("DISTILPOSE_DEBUG", raising=False)
    assert exit_code(raises(error)) == 2
    assert capsys.readouterr().err == "error: bad box\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(raises(ZeroDivisionError()), [])


@pytest.mark.parametrize(("result", "code"), [(None, 0), (1, 1)])
def test_the_commands_own_code_is_the_exit_code(result, code):
    assert exit_code(lambda argv: result) == code
