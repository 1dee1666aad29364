"""Disturbs commands while they run: ``python inject.py COMMAND... -n N``.

Each command runs in a forked process group and is hit by one fault at a random moment:
a signal, a full disk (a file size limit, and a small file system where that can be
mounted), a file or the output folder that is removed, a folder that may not be written
to. Then its exit code, its output, what it left behind and its processes are looked at.
Prints a line for each kind of fault, and one for each complaint.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from distilpose_keras.commands import cli
from tests.faults.commands import COMMANDS, prepare, whole

SECONDS = 300  # of a run, after which it is taken to hang
SIGNALS = {"SIGINT": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}


class Run:
    """One run of a command in a process group of its own."""

    def __init__(self, command, folder, out, before=lambda: None):
        self.folder, self.out = folder, out
        # A pipe, and not a file: no fault may hit what is said about it.
        self._reader, errors = os.pipe()
        self.process = os.fork()
        if self.process:
            os.close(errors)
            return
        os.setsid()
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 99
        try:
            main, arguments = COMMANDS[command](folder, out)
            (folder / "started").touch()
            before()
            cli.run(main, arguments)
        except SystemExit as ended:
            code = ended.code
        except BaseException:
            import traceback

            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def said(self):
        """Return what it wrote to standard error."""
        with os.fdopen(self._reader, errors="replace") as reader:
            return reader.read()

    def wait(self, at=None, fault=None):
        """Wait for its end; cause the fault some seconds after its start."""
        began, started = time.monotonic(), None
        while True:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                return os.waitstatus_to_exitcode(status)
            now = time.monotonic()
            if started is None and (self.folder / "started").exists():
                started = now
            if fault and started is not None and now - started >= at:
                fault(self)
                fault = None
            if now - began > SECONDS:
                os.killpg(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
                return "hangs"
            time.sleep(0.002)


def left_behind(run):
    """What a run should not have left: half files, and processes."""
    found = []
    for path in sorted(run.out.rglob("*")) if run.out.exists() else ():
        if ".partial-" in path.name:
            found.append(f"left {path.name}")
        elif path.is_file():
            try:
                good = whole(path)
            except Exception as error:
                good = f"{type(error).__name__}: {error}"
            if good is not True:
                found.append(f"half a file {path.name} ({good})")
    try:
        os.killpg(run.process, signal.SIGKILL)
        found.append("a process is left")
    except ProcessLookupError:
        pass
    return found


def lost(run):
    """Results that were computed and not kept: poses of pictures that are there."""
    written = {path.name for path in run.out.glob("*.jpg")}
    poses = run.out / "poses.json"
    if not written or not run.out.exists():
        return []
    if not poses.exists():
        return [f"{len(written)} pictures without their poses"]
    named = {pose["file_name"] for pose in json.loads(poses.read_text())}
    # The picture under way may have been written and its poses not yet be listed.
    return [f"lost {written - named}"] if len(written - named) > 1 else []


def signalled(name):
    def cause(run):
        os.kill(run.process, SIGNALS[name][0])

    return {"fault": cause, "codes": {0, SIGNALS[name][1]}}


def size_limit(rng):
    size = rng.choice((0, 100, 5_000, 20_000, 50_000, 200_000))

    def before():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return {"before": before, "codes": {0, 2}, "keeps": False}


def input_removed(rng):
    def cause(run):
        pictures = sorted((run.folder / "pictures").iterdir())
        for path in rng.sample(pictures, 6):
            path.unlink()

    return {"fault": cause, "codes": {0, 2}}


def output_removed(rng):
    def cause(run):
        shutil.rmtree(run.out, ignore_errors=True)

    return {"fault": cause, "codes": {0, 2}, "keeps": False}


def not_allowed(rng):
    def before():
        os.setgid(65534)
        os.setuid(65534)

    return {"before": before, "codes": {2}, "keeps": False}


def small_disk(rng):
    kilobytes = rng.choice((4, 20, 60, 120, 200))
    return {"disk": kilobytes, "codes": {0, 2}, "keeps": False}


FAULTS = {
    "SIGINT": lambda rng: signalled("SIGINT"),
    "SIGTERM": lambda rng: signalled("SIGTERM"),
    "file size limit": size_limit,
    "small disk": small_disk,
    "input removed": input_removed,
    "output removed": output_removed,
    "not allowed": not_allowed,
}


def mounted(folder, kilobytes):
    """Mount a small file system; False where that is not allowed."""
    options = f"size={kilobytes}k,mode=777"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return (
        shutil.which("mount")
        and not subprocess.run(mount, capture_output=True).returncode
    )


def inject(command, kind, number, longest, inputs):
    """Disturb one run; return (exit code, complaints), or None if it cannot be."""
    rng = random.Random(f"{command}-{kind}-{number}")
    fault = FAULTS[kind](rng)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        shutil.copytree(inputs, folder, dirs_exist_ok=True)
        folder.chmod(0o755)
        place = folder / "disk"
        place.mkdir()
        disk = fault.get("disk")
        if disk and not mounted(place, disk):
            return None
        if kind == "not allowed" and os.getuid():
            return None
        try:
            run = Run(command, folder, place / "out", fault.get("before", lambda: None))
            code = run.wait(rng.uniform(0, longest), fault.get("fault"))
            complaints = left_behind(run)
            if fault.get("keeps", True) and command == "predict":
                complaints += lost(run)
            said = run.said()
        finally:
            if disk:
                subprocess.run(["umount", "-l", str(place)], check=True)
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    if code not in fault["codes"]:
        complaints.append(f"exit code {code}: {said[-300:]!r}")
    if "Traceback" in said and "Exception ignored" not in said:
        complaints.append(f"a traceback: {said[-400:]!r}")
    if code == 2 and len(lines) != 1:
        complaints.append(f"{len(lines)} lines of error")
    return code, complaints


def duration(command, inputs):
    """Seconds that an undisturbed run takes; it must succeed."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        shutil.copytree(inputs, folder, dirs_exist_ok=True)
        run = Run(command, folder, folder / "out")
        moments = []
        code = run.wait(0, lambda run: moments.append(time.monotonic()))
        if code or left_behind(run):
            raise SystemExit(f"{command} fails undisturbed: {run.said()}")
        return time.monotonic() - moments[0]


def disturb(command, kind, count, longest, inputs):
    """Cause a kind of fault many times; return the exit codes and all complaints."""
    codes, complaints = Counter(), []
    if kind == "input removed" and command != "predict":
        return codes, complaints
    for number in range(count):
        outcome = inject(command, kind, number, longest, inputs)
        if outcome is None:
            break
        codes[str(outcome[0])] += 1
        complaints += [f"{number}: {text}" for text in outcome[1]]
    return codes, complaints


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS))
    parser.add_argument("-n", type=int, default=10, help="of each kind of fault")
    arguments = parser.parse_args(argv)
    total = wrong = 0
    with tempfile.TemporaryDirectory() as inputs:
        prepare(Path(inputs))
        for command in arguments.commands:
            COMMANDS[command](Path(), Path())  # imports, once for all forks
            longest = duration(command, inputs)
            print(f"{command}: {longest:.2f} s undisturbed", flush=True)
            for kind in FAULTS:
                codes, complaints = disturb(command, kind, arguments.n, longest, inputs)
                total += codes.total()
                wrong += len(complaints)
                ends = [f"{n} ended with {c}" for c, n in sorted(codes.items())]
                print(f"  {kind}: {', '.join(ends) or 'not possible'}", flush=True)
                for text in complaints[:5]:
                    print(f"    {text}", flush=True)
    print(f"{total} faults, {wrong} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
