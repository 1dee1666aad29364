"""`distilpose COMMAND ...`, and the scripts of the checkout that call the same."""

import argparse
import sys
from importlib import import_module

from distilpose_keras.commands import cli

DESCRIPTION = "Distilled human pose models: trained, measured, exported."
EPILOG = """\
distilpose COMMAND --help shows the arguments of a command, with examples.
`distilpose train` alone runs the demonstration: about seven minutes on two cores.
"""
COMMANDS = (  # modules of this package, in the order of a model's life
    "train",
    "train_nano",
    "train_finder",
    "models",
    "check",
    "predict",
    "demo",
    "evaluate",
    "export",
    "verify",
    "finetune_int8",
    "convert",
    "convert_labels",
    "pack",
    "profile",
    "benchmark",
    "fit_few",
    "ablation",
)


def main(argv=None):
    """Run `distilpose`; exits.

    Args:
        argv: the command and its arguments; those of the process by default.
    """
    cli.run(_main, argv)


def script(command, *given, description=None, examples=None):
    """Run a command as a script of the checkout; exits.

    Args:
        command: one of `COMMANDS`.
        *given: arguments that come before those of the process.
        description: other text than the command's own at the top of ``--help``.
        examples: other lines than the command's own at its end.
    """

    def main(argv):
        parser = _parser(command, f"python {sys.argv[0]}")
        parser.description = description or parser.description
        if examples:
            parser.epilog = examples
        return _run(command, parser, [*given, *argv])

    cli.run(main)


def _main(argv):
    if not argv or argv[0] not in map(_typed, COMMANDS):
        _overview().parse_args(argv[:1])  # help, the version, or a mistake
    name = argv[0].replace("-", "_")
    return _run(name, _parser(name, f"distilpose {argv[0]}"), argv[1:])


def _overview():
    """The parser of `distilpose` itself, whose help says what each command is for."""
    lines = [f"  {_typed(name):15}{_module(name).SUMMARY}\n" for name in COMMANDS]
    parser = cli.ArgumentParser(
        prog="distilpose",
        usage="distilpose COMMAND ...",
        description=DESCRIPTION,
        epilog=f"commands:\n{''.join(lines)}\n{EPILOG}",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    parser.add_argument(
        "command",
        metavar="COMMAND",
        choices=[*map(_typed, COMMANDS)],
        help=argparse.SUPPRESS,
    )
    return parser


def _typed(name):
    """A command as users type it."""
    return name.replace("_", "-")


def _parser(name, prog):
    """The parser of one command."""
    module = _module(name)
    parser = cli.ArgumentParser(prog=prog, description=module.__doc__)
    module.add_arguments(parser)
    return parser


def _run(name, parser, argv):
    return _module(name).run(parser.parse_args(argv))


def _module(name):
    return import_module(f"distilpose_keras.commands.{name}")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, **kwargs):
        super().__init__(nargs=0, **kwargs)

    def __call__(self, parser, *_):
        from importlib.metadata import version

        print(f"distilpose-keras {version('distilpose-keras')}")
        parser.exit()
