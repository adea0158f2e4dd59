"""What all tests share: an origin and a proxy in front of it, and how the tests are divided among workers."""

import asyncio
import gc
import itertools
import os
import re
import zlib
from collections.abc import AsyncIterator, Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from tests import forks
from tests.proxy.harness import Origin, Running, running
from tests.proxy.loop_clock import LoopClock
from tests.scheduler import Scheduler

forks.allow()

#: The folders made so far, by a number for each.
_folders = itertools.count()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder of the test's own. pytest's fixture looks through all folders made before for a free number."""
    name = re.sub(r"\W", "_", request.node.name)[:26]  # Unix sockets within have short names
    return tmp_path_factory.mktemp(f"{name}{next(_folders)}", numbered=False)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """A scripted gateway, listening."""
    origin = Origin()
    await origin.start()
    yield origin
    await origin.stop()


@pytest.fixture
async def proxy(origin: Origin, tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy with default settings in front of `origin`."""
    async with running(tmp_path, origin.url) as proxy:
        yield proxy


@pytest.fixture
async def loop_clock() -> LoopClock:
    """The clock of the test's event loop."""
    return LoopClock(asyncio.get_running_loop())


#: The same examples at each run, so that a red run is red again; `make soak` looks for new ones,
#: and `make mutants` is content with a few where they are enough.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("brief", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("random", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

#: Folders whose tests start programs, machines or browsers. `make check` leaves them out.
_SLOW = (
    "integration",
    "faults",
    "docs",
    "systemd",
    "browser",
    "peers",
    "demo",
    "soak",
    "kills",
    "partitions",
    "upgrade",
)

#: Folders that most programs, machines and browsers are started in: `--part` divides by them.
_PROGRAMS = (*_SLOW, "packaging")

#: The longest first, so that no worker begins one of them when all others are done. A worker is always handed one group
#: more than it runs: with four workers, behind the four that take minutes wait four of no account.
_LONGEST = (
    "tests/packaging/test_deb.py",
    "tests/docs/test_runbook.py",
    "tests/systemd/test_installed.py",
    "tests/docs/test_readme.py::test_the_commands_by_hand",
    "tests/systemd/test_units.py",
    "tests/docs/test_shell.py",
    "tests/docs/test_pages.py",
    "tests/docs/test_try.py",
    "tests/docs/test_two_proxies.py",
    "tests/packaging/test_container.py",
    "tests/systemd/test_ports.py",
    "tests/docs/test_new_gateway.py",
    "tests/browser/",
    "tests/integration/test_day.py",
    "tests/integration/test_alerts.py",
    "tests/faults/test_faults.py",
    "tests/kills/",
    "tests/soak/",
    "tests/partitions/",
    "tests/upgrade/",
    "tests/integration/",
    "tests/docs/",
    "tests/store/",
    "tests/test_server.py",
)

#: One worker runs these, and starts one browser for all.
_ONE_BROWSER = "tests/browser/"

#: Characters of a value by which a test is named.
_LONGEST_NAME = 80

#: Tests that call themselves `grouped` run one after the other within the group they name.
_GROUPED = "grouped"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Reading the tests makes hundreds of thousands of objects that stay: no one looks for garbage among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests in three parts, for runs side by side.

    The quick examples of the domain run with its cover. Measuring takes three times as long as the tests, so its
    properties, with their hundreds of examples, do not. Those that start programs wait, so they want many workers, but
    they are few. All others are many and quick, and want a process per core. There, a worker that reads all tests and
    tells of each would take a tenth of the time: so each process has its share of the files, and reads no others.
    """
    parser.addoption("--part", choices=("status", "programs", "code"), help="run the tests of one part")
    parser.addoption("--share", metavar="N/OF", help="run the N-th of so many shares of the files")


def _of_another_share(path: Path, config: pytest.Config) -> bool:
    share = config.getoption("share")
    if share is None or not path.name.startswith("test_"):
        return False
    number, _, of = share.partition("/")
    return zlib.crc32(str(path.relative_to(config.rootpath)).encode()) % int(of) != int(number) - 1


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read what is left out: reading takes a worker its first seconds."""
    if _of_another_share(collection_path, config):
        return True
    if collection_path.parent != config.rootpath / "tests":
        return None
    name, part = collection_path.name, config.getoption("part")
    if part == "status":
        left_out = name not in ("status", "conftest.py")
    elif part == "programs":
        left_out = name not in _PROGRAMS and name != "conftest.py"
    elif part == "code":
        left_out = name in _PROGRAMS
    else:
        left_out = config.option.markexpr == "not slow" and name in _SLOW
    return True if left_out else None  # None: others may leave it out


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name binary and long values by their argument.

    Gzip's hold the time of day, and all workers must name tests alike. Each worker tells all names, and each report is
    by name: megabytes of them took more time than many tests.
    """
    if isinstance(val, str | bytes) and (len(val) > _LONGEST_NAME or (isinstance(val, bytes) and not val.isascii())):
        return argname
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduler | None:
    """Divide the tests as `--dist loadgroup` does, and quicker."""
    return Scheduler(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist, which divides the tests by these marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is slow by its folder, begin with the longest, and keep each file on one worker.

    After the longest come files that have a slow test; the quick ones fill the end, where no worker may be left alone.
    A test marked `divisible` shares nothing with the others of its file, so that any worker may take it. Those marked
    `grouped(name)` may run beside other groups of their file, and one after the other within theirs.
    """

    @cache
    def folder(path: Path) -> str:
        return path.relative_to(config.rootpath / "tests").parts[0]

    slow: set[Path] = set()
    for item in items:
        marks = {mark.name: mark for mark in reversed([*item.iter_markers()])}  # of two alike, the closest
        if "measuring" in marks and folder(item.path) != "faults":
            raise pytest.UsageError(f"{item.nodeid}: `make alone` runs what is marked `measuring` in tests/faults only")
        if folder(item.path) in _SLOW:
            item.add_marker("slow")
            slow.add(item.path)
        elif "slow" in marks:
            slow.add(item.path)
        file = item.nodeid.partition("::")[0]
        named = f"{file}: {marks[_GROUPED].args[0]}" if _GROUPED in marks else file
        if file.startswith(_ONE_BROWSER):
            named = _ONE_BROWSER
        item.add_marker(pytest.mark.xdist_group(item.nodeid if "divisible" in marks else named))

    def place(item: pytest.Item) -> int:
        if item.nodeid.startswith(_LONGEST):
            return next(place for place, name in enumerate(_LONGEST) if item.nodeid.startswith(name))
        return len(_LONGEST) + (item.path not in slow)

    items.sort(key=place)
    part = config.getoption("part")
    if part in ("status", "code"):
        left_out = {item for item in items if _of_the_cover(item) != (part == "status")}
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _of_the_cover(item: pytest.Item) -> bool:
    """Whether it is a quick example of the domain: `make status` runs it, and not `make code`."""
    in_status = item.nodeid.startswith("tests/status/") and not item.nodeid.startswith("tests/status/simulation/")
    quick = item.get_closest_marker("slow") is None
    return in_status and quick and not (isinstance(item, pytest.Function) and is_hypothesis_test(item.obj))
