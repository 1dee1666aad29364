"""What a figure was measured on: machine, versions, revision of the code."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

CPU_FACTS = Path("/proc/cpuinfo")
# Of Linux' names for what a CPU can do, those that change what a kernel costs.
FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni"),
    *("amx_tile", "amx_int8", "amx_bf16", "asimddp", "i8mm"),
)
PACKAGES = (
    *("distilpose-keras", "keras", "tensorflow", "jax", "torch", "numpy"),
    *("opencv-contrib-python-headless", "simplejpeg", "onnxruntime", "ai-edge-litert"),
    *("pycocotools", "hotcoco", "ray", "pyarrow"),
)


def describe_machine() -> dict[str, Any]:
    """Return the CPU, its cores and flags, and the memory, as JSON values.

    ``cores`` are those that this process may use; ``flags`` is None where the system
    does not say.
    """
    try:
        name, flags = cpu_facts(CPU_FACTS.read_text())
    except OSError:
        name, flags = "", None
    return {
        "cpu": name or platform.processor() or platform.machine(),
        "cores": _cores(),
        "flags": flags,
        "memory_gb": _memory_gb(),
    }


def cpu_facts(text: str) -> tuple[str, list[str]]:
    """Return the name of the CPU and those of `FLAGS` that it has.

    Args:
        text: of ``/proc/cpuinfo``.
    """
    found = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.M))
    able = found.get("flags", found.get("Features", "")).split()
    return found.get("model name", ""), [flag for flag in FLAGS if flag in able]


def describe_software() -> dict[str, Any]:
    """Return the system and the versions of Python and of packages."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": installed(PACKAGES),
    }


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_revision() -> str | None:
    """Return the commit of the code, with ``-dirty`` if it was changed, or None."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True
        )
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_gb():
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not on every system
        return None
    return round(size / 1e9, 1)
