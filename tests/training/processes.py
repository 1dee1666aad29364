"""Starts the scripts of this folder in processes of their own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


def start(script, *arguments, backend, **environment):
    """Start a script; the result is a `subprocess.Popen`."""
    # A script that wants several devices says so; others get one.
    inherited = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.Popen(
        [sys.executable, FOLDER / script, *map(str, arguments)],
        env={
            **inherited,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(FOLDER)]),
            "KERAS_BACKEND": backend,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process):
    """Wait for a script and return the JSON that it prints last."""
    output, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


def run(script, *arguments, backend, **environment):
    """Run a script and return the JSON that it prints last."""
    return result(start(script, *arguments, backend=backend, **environment))


def free_ports(count):
    """Return port numbers of the loopback that nobody uses at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
