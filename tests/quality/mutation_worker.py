"""One source file's mutants, each run in a fork against the tests that reach its line.

A program of `mutants`: it reads a `Job` from its standard input and writes a JSON list of what became of each mutant.
The tests are imported once. A mutant within a function takes the place of the function's code in a fork; one outside
any function, and one that survived, is imported anew in a fork made before anything of the project was imported.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import gc
import importlib.machinery
import importlib.util
import json
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import coverage
import pytest

from tests.quality.mutations import Mutation, mutate, mutations

#: What becomes of a mutant: a test fails, or takes too long; all pass, or none reaches it.
NOTICED, SLOW, SURVIVED, UNREACHED = "noticed", "too slow", "survived", "unreached"

#: A fork's exit status where the tests pass, where one fails, where the function to change was not found; and what
#: stands for it where the fork took too long.
_PASSED, _FAILED, _NOT_FOUND, _LATE = 0, 1, 3, -1000

#: Bytes of data that a mutant may take.
_MEMORY = 3 << 30

#: prctl(2): the signal that a process gets when its parent dies, so that no mutant outlives the run.
_PR_SET_PDEATHSIG = 1

#: Seconds for a test file whose source is imported anew.
_WHOLE = 90.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to do: paths relative to the folder of work, and the numbers of the mutations."""

    source: str
    module: str
    tests: list[str]
    """Test files, or options that choose among their tests."""
    numbers: list[int]
    folder: str
    """For temporary files."""
    seconds: float = 600.0
    """Mutants that are not begun by then are left out."""
    patience: float = 5.0
    """Seconds that a mutant may take, besides five times what the tests take without it."""
    most: float = math.inf
    """Seconds of tests that each mutant is tried with, the quickest first. With such a bound, what survives in a
    function is not tried with its module imported anew, though it may have run at import."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutation."""

    number: int
    mutation: str
    fate: str


@dataclass(slots=True)
class Baseline:
    """The tests without a mutant: the seconds of each that passes, and which of them reach a line."""

    seconds: dict[str, float]
    reach: dict[int, list[str]]

    def tests(self, mutation: Mutation, most: float) -> list[str]:
        """The tests that reach a mutation's lines, the quickest first; what takes more than `most` seconds is cut."""
        lines = range(mutation.first_line, mutation.last_line + 1)
        names = {name for line in lines for name in self.reach.get(line, ())}
        quickest = sorted((name for name in names if name in self.seconds), key=self.seconds.__getitem__)
        taken = accumulate(self.seconds[name] for name in quickest)
        return [name for name, seconds in zip(quickest, taken, strict=True) if seconds <= most]


def run(job: Job) -> list[Fate]:
    """Try each mutant of the job. The results in the order of its numbers."""
    text = Path(job.source).read_text()
    chosen = [mutation for mutation in mutations(text) if mutation.number in set(job.numbers)]
    end = time.monotonic() + job.seconds
    fates, tests = _within_functions(job, text, [one for one in chosen if one.function is not None], end)
    tried = []
    for mutation in chosen:
        in_time = time.monotonic() <= end
        begun = mutation.function is None or mutation.number in tests
        if mutation.number not in fates and not (begun and in_time):
            continue
        tried.append(mutation)
        anew = job.most == math.inf or mutation.number not in fates
        fate = fates.setdefault(mutation.number, SURVIVED)
        if in_time and anew and fate in (SURVIVED, UNREACHED):
            again = _imported_anew(job, text, mutation, tests.get(mutation.number, job.tests))
            fates[mutation.number] = fate if again == SURVIVED else again
    return [Fate(one.number, str(one), fates[one.number]) for one in tried]


# Mutants within functions: the tests are collected once, each mutant is a fork.


def _within_functions(
    job: Job, text: str, chosen: Sequence[Mutation], end: float
) -> tuple[dict[int, str], dict[int, list[str]]]:
    """The fate of each, and the tests that reach it; no fate where only importing it anew can tell.

    All in a process of its own, so that this one imports nothing of the project.
    """
    report = Path(job.folder, "fates.json")

    def collect() -> int:
        os.environ["HYPOTHESIS_PROFILE"] = "brief"
        importing = coverage.Coverage(data_file=None, include=[job.source], config_file=False)
        importing.start()
        return _pytest(job, job.tests, plugins=[_Loop(job, text, chosen, report, end, importing)])

    if not chosen:
        return {}, {}
    _fork(collect, limit=None)
    if not report.exists():
        raise RuntimeError(f"{' '.join(job.tests)} cannot be collected")
    fates, tests = json.loads(report.read_text())
    return {int(one): fate for one, fate in fates.items()}, {int(one): names for one, names in tests.items()}


class _Loop:
    """Takes the place of pytest's loop over the tests: it runs them once to measure, then once for each mutant."""

    def __init__(
        self,
        job: Job,
        text: str,
        chosen: Sequence[Mutation],
        report: Path,
        end: float,
        importing: coverage.Coverage,
    ) -> None:
        """`importing` has been started: it measures what runs until the tests do."""
        self._job, self._text, self._chosen, self._report, self._end = job, text, chosen, report, end
        self._importing = importing

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._importing.stop()
        at_import = set(self._importing.get_data().lines(os.path.abspath(self._job.source)) or ())
        baseline = self._measure(session)
        items = {item.nodeid: item for item in session.items}
        fates: dict[int, str] = {}
        tests: dict[int, list[str]] = {}
        for mutation in self._chosen:
            if time.monotonic() > self._end:
                break
            names = baseline.tests(mutation, self._job.most)
            if not names:
                fates[mutation.number] = UNREACHED
                continue
            limit = self._job.patience + 5 * sum(map(baseline.seconds.__getitem__, names))
            attempt = partial(self._try, mutation, [items[name] for name in names])
            # Where the function ran at import, too, what it gave then may be what other tests look at.
            imported = not at_import.isdisjoint(range(mutation.line, mutation.last_line + 1))
            tests[mutation.number] = self._job.tests if imported else names
            status = _fork(attempt, limit)
            if status != _NOT_FOUND:
                fates[mutation.number] = _fate(status)
        self._report.write_text(json.dumps([fates, tests]))
        return True

    def _try(self, mutation: Mutation, items: list[pytest.Item]) -> int:
        assert mutation.function is not None
        code = compile(
            mutate(self._text, mutation.number), os.path.abspath(self._job.source), "exec", dont_inherit=True
        )
        if not _swap(code, mutation.function):
            return _NOT_FOUND
        return _run(items)

    def _measure(self, session: pytest.Session) -> Baseline:
        report = Path(self._job.folder, "baseline.json")

        def measure() -> int:
            tracer = coverage.Coverage(data_file=None, include=[self._job.source], config_file=False)
            tracer.set_option("run:disable_warnings", ["no-data-collected"])  # the tests may reach nothing of it
            seconds = {}
            tracer.start()
            for item, after in zip(session.items, [*session.items[1:], None], strict=True):
                start = time.monotonic()
                tracer.switch_context(item.nodeid)
                if _run([item], after) == _PASSED:
                    seconds[item.nodeid] = time.monotonic() - start
            tracer.stop()
            reach = tracer.get_data().contexts_by_lineno(os.path.abspath(self._job.source))
            report.write_text(json.dumps([seconds, reach]))
            return _PASSED

        _fork(measure, limit=None)
        seconds, reach = json.loads(report.read_text())
        return Baseline(seconds, {int(line): names for line, names in reach.items()})


def _run(items: Sequence[pytest.Item], after: pytest.Item | None = None) -> int:
    """Run tests up to the first that fails."""
    for item, following in zip(items, [*items[1:], after], strict=True):
        failed: list[bool] = []

        class Watch:
            def pytest_runtest_logreport(self, report: pytest.TestReport, failed: list[bool] = failed) -> None:
                failed.append(report.failed)

        watch = Watch()
        item.config.pluginmanager.register(watch)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        item.config.pluginmanager.unregister(watch)
        if any(failed):
            return _FAILED
    return _PASSED


def _swap(code: CodeType, where: tuple[str, int]) -> bool:
    """Give every living function of that name and line the code it has in `code`. Whether there was one."""
    new = next((one for one in _codes(code) if (one.co_qualname, one.co_firstlineno) == where), None)
    if new is None:
        return False
    swapped = False
    gc.unfreeze()  # a conftest may have frozen all there is after collection, and what is frozen is not listed
    for function in gc.get_objects():
        if type(function) is not FunctionType or function.__code__.co_filename != new.co_filename:
            continue
        if (function.__code__.co_qualname, function.__code__.co_firstlineno) == where:
            try:
                function.__code__ = new
            except ValueError:  # it no longer has the same cells (`super()` is gone)
                return False
            swapped = True
    return swapped


def _codes(code: CodeType) -> Iterable[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


# Mutants imported anew.


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a changed tree."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.path, "exec", dont_inherit=True)


class _Finder:
    """Finds one module, for a loader of its own."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        """Asked by the import system for each module (PEP 451)."""
        if name != self._loader.name:
            return None
        return importlib.util.spec_from_file_location(name, self._loader.path, loader=self._loader)


def _imported_anew(job: Job, text: str, mutation: Mutation, tests: list[str]) -> str:
    def attempt() -> int:
        loader = _Loader(job.module, os.path.abspath(job.source), mutate(text, mutation.number))
        sys.meta_path.insert(0, _Finder(loader))
        return _pytest(job, ["-x", *tests])

    return _fate(_fork(attempt, limit=_WHOLE))


# Processes.


def _fate(code: int) -> str:
    if code == _LATE:
        return SLOW
    return SURVIVED if code == _PASSED else NOTICED


def _pytest(job: Job, options: list[str], plugins: Sequence[object] = ()) -> int:
    fixed = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:cov", f"--basetemp={job.folder}/t"]
    return int(pytest.main([*fixed, *options], plugins=[*plugins]))


def _fork(work: Callable[[], int], limit: float | None) -> int:
    """Do `work` in a fork, silently; the status it returns. A fork that takes longer is killed."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = _FAILED
        with contextlib.suppress(BaseException):
            os.setsid()
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
            silence = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(silence, descriptor)
            status = work()
        os._exit(status)
    watched = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        ended = poll.poll(None if limit is None else limit * 1000)
    finally:
        os.close(watched)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else _LATE


def main() -> None:
    """Read the job, write the fates."""
    # What the tests import besides the project, once for all forks.
    for name in ("aiohttp.test_utils", "aiohttp.web", "cryptography.x509", "msgspec", "httptools", "yaml"):
        importlib.import_module(name)
    json.dump([asdict(fate) for fate in run(Job(**json.load(sys.stdin)))], sys.stdout)


if __name__ == "__main__":
    main()
