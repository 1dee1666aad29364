"""The subcommands of `distilpose`: the only place that parses a command line.

A command is a module with ``SUMMARY`` (one line), ``add_arguments(parser)``, which also
gives the parser its examples as ``parser.epilog``, and ``run(arguments)``, which
returns an exit code or None.
Its docstring is the description in ``--help``. What is heavy (NumPy, Keras, a backend)
it imports in ``run``, so that help and mistakes answer at once. `main.COMMANDS` lists
the modules.
"""
