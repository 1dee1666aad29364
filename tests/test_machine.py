"""What figures were measured on."""

import os
import sys

import numpy as np

from distilpose_keras import machine

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6430
cpu MHz\t\t: 2100.000
flags\t\t: fpu avx2 avx512f avx512_vnni amx_tile amx_int8 avx512_vnni_not

processor\t: 1
model name\t: Intel(R) Xeon(R) Gold 6430
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\nCPU part\t: 0xd40\n"


def test_names_and_flags_of_cpus():
    name, flags = machine.cpu_facts(X86)
    assert name == "Intel(R) Xeon(R) Gold 6430"
    assert flags == ["avx2", "avx512f", "avx512_vnni", "amx_tile", "amx_int8"]
    assert machine.cpu_facts(ARM) == ("", ["asimddp", "i8mm"])
    assert machine.cpu_facts("") == ("", [])


def test_this_machine_is_described(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(X86)
    monkeypatch.setattr(machine, "CPU_FACTS", tmp_path / "cpuinfo")
    found = machine.describe_machine()
    assert found["cpu"] == "Intel(R) Xeon(R) Gold 6430"
    assert 1 <= found["cores"] <= os.cpu_count()
    assert 0.1 < found["memory_gb"] < 1e5


def test_a_system_that_says_nothing_of_its_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPU_FACTS", tmp_path / "gone")
    found = machine.describe_machine()
    assert found["flags"] is None and found["cpu"]


def test_versions_are_those_of_what_is_imported():
    found = machine.describe_software()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["numpy"] == np.__version__
    assert machine.installed(["numpy", "no-such-package"]) == {"numpy": np.__version__}
