"""Opens and runs one model file: ``python -m distilpose_keras.formats.trial FILE``.

What it says about a file that cannot be run is the last line of its output. A file
that ends the process has not ended the one that asked.
"""

import sys
from pathlib import Path

from distilpose_keras.formats.seal import try_file

ALLOWANCE_BYTES = 4 << 30  # of address space, most of which the runtime only reserves
BYTES_PER_BYTE = 20


def limit_memory(size):
    """Let a file of this size ask for so much memory and no more, where that works."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = ALLOWANCE_BYTES + BYTES_PER_BYTE * size
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(path):
    """Try a file; return the exit code."""
    limit_memory(Path(path).stat().st_size)
    try:
        try_file(path)
    except Exception as error:  # whatever a runtime raises
        text = " ".join(str(error).split()) or type(error).__name__
        print(text if path in text else f"{path}: damaged ({text[:200]})")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
