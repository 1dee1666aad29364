"""The program of a data worker process: makes samples until its input ends."""

import os
import pickle
import signal
import sys

import cv2
import numpy as np

from distilpose_keras.data.samples import SampleArrays


def serve(receive, send):
    """Answer requests.

    Args:
        receive: binary file with a pickled SampleLoader and then pickled pairs of
            SampleRequest and epoch.
        send: binary file; gets, for every pair, a pickled dict of position to message
            for unreadable pictures (or an exception), then the bytes of the image,
            keypoints and weights of each sample.
    """
    loader = pickle.load(receive)
    while True:
        request, epoch = pickle.load(receive)
        count = len(request.indices)
        arrays = SampleArrays.empty(
            count, loader.input_size, loader.schema.num_keypoints
        )
        try:
            errors = loader.load(request, epoch, arrays, np.arange(count))
        except Exception as error:
            pickle.dump(error, send)
        else:
            pickle.dump(errors, send)
            for sample in zip(*arrays, strict=True):
                for array in sample:
                    send.write(array)
        send.flush()


def main():
    """Serve on standard input and output."""
    # An interrupt of the terminal reaches the whole group; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    send = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not end up among the samples
    try:
        serve(sys.stdin.buffer, send)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the parent is done, or gone: nobody reads what is buffered


if __name__ == "__main__":
    main()
