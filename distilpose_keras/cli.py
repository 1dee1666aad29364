"""What every command shares: one clear line for a user's mistake."""

import os
import sys

# Before a backend is imported: TensorFlow's start-up log hides the one line that counts.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def run(main, argv=None):
    """Run a command and exit: 0 on success, 2 and one line on a user's mistake.

    Library code reports wrong input as `ValueError` and unreadable or unwritable
    files as `OSError`; a missing optional package is a `ModuleNotFoundError`.
    Anything else is a bug and keeps its traceback.

    Args:
        main: function of the argument list that returns an exit code or None.
        argv: arguments; `sys.argv[1:]` by default.
    """
    try:
        code = main(sys.argv[1:] if argv is None else argv)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if os.environ.get("DISTILPOSE_DEBUG"):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    sys.exit(code or 0)
