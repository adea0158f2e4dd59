"""The C library keeps the memory of one long list for the next, and an operator may decide otherwise."""

import ctypes
import importlib
import subprocess
import sys

import pytest

from statusproxy import allocator
from tests.docs.pages import ROOT

#: Page faults of one round of 6 blocks of 256 KiB and one of 1.5 MiB, all filled and freed.
_FAULTS = """
import resource, sys
from statusproxy.allocator import keep_freed_memory
kept = keep_freed_memory({}) if sys.argv[1] == "kept" else True
def round():
    return b"".join([b"x" * 262_144 for _ in range(6)])
for _ in range(20):
    round()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    round()
print(kept, (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 100)
"""

glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")


def faults(how: str) -> tuple[str, float]:
    program = [sys.executable, "-c", _FAULTS, how]
    ended = subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    kept, count = ended.stdout.split()
    return kept, float(count)


@glibc
def test_a_long_list_takes_the_memory_of_the_one_before() -> None:
    kept, count = faults("kept")
    assert kept == "True"
    assert count < 20  # of 768 pages


@glibc
@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_operator_sets_stays(name: str) -> None:
    assert not allocator.keep_freed_memory({name: "1048576"})


def test_a_c_library_without_such_limits_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory({})


def test_a_python_without_ctypes_starts_with_the_limits_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert not allocator.keep_freed_memory({})
    monkeypatch.delitem(sys.modules, "statusproxy.allocator")
    importlib.import_module("statusproxy.allocator")
