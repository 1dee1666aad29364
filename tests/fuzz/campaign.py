"""Damages many files and counts how they are read: ``python campaign.py KIND... -n N``.

Each kind is read in a child process, so that one that ends it, hangs or fills the
memory is told from one that is read. Prints one line for each kind, and one for each
complaint with the number of the input: ``-s NUMBER -n 1 -k FILE`` writes it again.
"""

import argparse
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.kinds import KINDS, complaint

SECONDS = 10.0
GIBIBYTES = 2


def input_bytes(name, number):
    """The bytes of an input; the same each time."""
    return KINDS[name].spoiled(random.Random(f"{name}-{number}"))


def child(name, numbers, path, shared, report):
    """Read inputs one after the other; say which one is being read."""
    null = os.open(os.devnull, os.O_WRONLY)
    errors = os.dup(2)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        _read_all(name, numbers, path, shared, report)
    except BaseException:  # of this script: the parent must not go on as a child
        os.write(errors, traceback.format_exc().encode())
        os._exit(1)
    os._exit(0)


def _read_all(name, numbers, path, shared, report):
    for number in numbers:
        path.write_bytes(input_bytes(name, number))
        shared[:16] = struct.pack("<qd", number, time.monotonic())
        found = complaint(KINDS[name], path)
        if found:
            line = f"{number}\t{' '.join(found.split())[:400]}\n"
            os.write(report, line.encode("utf-8", "replace"))
    shared[:16] = struct.pack("<qd", -1, 0.0)


def resident(process):
    """GiB of memory that a process holds."""
    try:
        text = Path(f"/proc/{process}/statm").read_text()
    except OSError:
        return 0.0
    return int(text.split()[1]) * 4096 / 2**30


def campaign(name, start, count, folder):
    """Read inputs, a process for as many as it survives; return complaints."""
    KINDS[name].seeds()
    kind = KINDS[name]
    path = folder / f"{name}{kind.suffix}"
    path.write_bytes(random.Random(0).choice(kind.seeds()))
    complaint(kind, path)  # imports once, before the forks
    complaints, at, end = {}, start, start + count
    while at < end:
        written = folder / "report"
        report = os.open(written, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        shared = mmap.mmap(-1, 16)
        shared[:16] = struct.pack("<qd", at, time.monotonic())
        process = os.fork()
        if not process:
            child(name, range(at, end), path, shared, report)
        os.close(report)
        base, why = resident(process), None
        while os.waitpid(process, os.WNOHANG) == (0, 0):
            number, since = struct.unpack("<qd", shared[:16])
            if number >= 0 and time.monotonic() - since > SECONDS:
                why = f"longer than {SECONDS:.0f} s"
            elif resident(process) - base > GIBIBYTES:
                why = f"more than {GIBIBYTES} GiB"
            if why:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                break
            time.sleep(0.02)
        for line in written.read_text().splitlines():
            number, _, text = line.partition("\t")
            complaints[int(number)] = text
        number, _ = struct.unpack("<qd", shared[:16])
        if number < 0:
            break
        complaints[number] = why or "the process died"
        at = number + 1
    return complaints


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("-s", type=int, default=0)
    parser.add_argument("-k", type=Path)
    arguments = parser.parse_args(argv)
    total = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for name in arguments.kinds or KINDS:
            if arguments.k:
                arguments.k.write_bytes(input_bytes(name, arguments.s))
                print(f"wrote {arguments.k}: {complaint(KINDS[name], arguments.k)}")
                return
            began = time.monotonic()
            complaints = campaign(name, arguments.s, arguments.n, Path(folder))
            total += arguments.n
            seconds = time.monotonic() - began
            print(
                f"{name}: {arguments.n} inputs, {len(complaints)} complaints, "
                f"{seconds:.0f} s",
                flush=True,
            )
            seen = Counter(text[:60] for text in complaints.values())
            for number, text in complaints.items():
                if seen.pop(text[:60], 0):
                    print(f"  {number}: {text[:240]}", flush=True)
    print(f"{total} inputs")


if __name__ == "__main__":
    main(sys.argv[1:])
