"""Opens and runs one model file: ``python -m distilpose_keras.formats.trial FILE``.

What it says about a file that cannot be run is the last line of its output. A file
that ends the process has not ended the one that asked.
"""

import sys
from pathlib import Path

import numpy as np

from distilpose_keras.formats.runtimes import open_runtime
from distilpose_keras.formats.seal import ON_TRIAL

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


def try_file(path):
    """Open and run a file here, in the process of a trial.

    Raises:
        Exception: of any kind, or the end of the process, if that fails.
    """
    ON_TRIAL.add(Path(path).resolve())
    runtime = open_runtime(path, num_threads=1)
    outputs = runtime.run(np.zeros((1, *runtime.input_size, 3), np.uint8))
    count = runtime.schema.num_keypoints
    for name, width in (("keypoints", 2), ("scores", 1)):
        if name not in outputs or outputs[name].shape != (1, count, width):
            raise ValueError(f"{path}: its outputs must be those of {count} keypoints")


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
