"""What a benchmark is given by its command line."""

from distilpose_keras.commands import benchmark
from distilpose_keras.commands.cli import ArgumentParser


def of(kind, *argv):
    """The arguments of ``distilpose benchmark KIND ...``."""
    parser = ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args([kind, *map(str, argv)])
