"""File descriptors: warned of at the start, kept in reserve, and when they run out no one is kept out for long."""

import asyncio
import contextlib
import errno
import fcntl
import os
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, Final

import pytest

from statusproxy.proxy.downstream import descriptors
from statusproxy.proxy.downstream.descriptors import Reserve, needed, warn_if_too_few
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Message, Origin, Wire, get, until

#: Open files that the program under test may have: few, so that a test can use them up.
FEW = 256


def test_the_need_counts_a_tunnel_s_second_connection() -> None:
    assert needed(4096, 512) == 2 * 4096 + 512 + 128


def test_too_low_a_limit_is_warned_of_with_both_numbers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(descriptors, "allowed", lambda: 1024)
    warn_if_too_few(4096, 512)
    [line] = caplog.messages
    assert "is 1024" in line
    assert str(needed(4096, 512)) in line
    assert "LimitNOFILE" in line
    caplog.clear()
    warn_if_too_few(398, 100)
    assert caplog.messages == []
    warn_if_too_few(398, 101)
    assert len(caplog.messages) == 1


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The process's limit, soft and hard, of which the last element holds."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    return limits


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, 1_000_000), (65_536, 1_000_000)),
        ((1024, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ((100_000, 1_000_000), (100_000, 1_000_000)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    ],
)
def test_the_limit_is_raised_as_far_as_is_useful_and_never_lowered(
    limit: list[tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
) -> None:
    limit.append(before)
    descriptors.raise_limit()
    assert limit[-1] == after


def test_a_limit_that_cannot_be_raised_stays(limit: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    descriptors.raise_limit()
    assert descriptors.allowed() == 1024


def test_without_a_limit_as_many_are_allowed_as_are_of_use(limit: list[tuple[int, int]]) -> None:
    limit.append((resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert descriptors.allowed() == 65_536


def _table_size(process: int) -> int:
    """For how many descriptors the kernel's table of a process has room."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("FDSize:"))


#: In a process of its own, as a table does not shrink.
_WIDEN: Final = """
import os, resource
from statusproxy.proxy.downstream import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))
before = descriptors.open_now()
descriptors.widen_table(1000, 200)
assert descriptors.open_now() == before
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("FDSize:")).split()[1])
"""


@pytest.mark.parametrize(("limit", "room"), [(4096, 2 * 1000 + 200 + 128), (500, 500)])
def test_the_kernel_s_table_is_widened_to_what_the_limits_need_and_no_further_than_allowed(
    limit: int, room: int
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _WIDEN.format(limit)], stdout=subprocess.PIPE, check=True, timeout=PATIENCE
    )
    assert room <= int(said.stdout) < 2 * room


@pytest.mark.parametrize(("allowed", "connections", "last"), [(200, 1000, 199), (100_000, 10, 2 * 10 + 5 + 128 - 1)])
def test_the_table_is_widened_by_the_last_descriptor_that_may_be_needed_and_that_is_closed_again(
    monkeypatch: pytest.MonkeyPatch, allowed: int, connections: int, last: int
) -> None:
    real, asked = fcntl.fcntl, list[int]()

    def recorded(file: BinaryIO, command: int, at_least: int) -> int:
        asked.append(at_least)
        return real(file, command, at_least)

    monkeypatch.setattr(fcntl, "fcntl", recorded)
    monkeypatch.setattr(descriptors, "allowed", lambda: allowed)
    before = descriptors.open_now()
    descriptors.widen_table(connections, 5)
    assert (asked, descriptors.open_now()) == ([last], before)


def test_a_table_that_cannot_be_widened_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "allowed", lambda: 2**31)
    before = descriptors.open_now()
    descriptors.widen_table(2**30, 2**30)
    assert descriptors.open_now() == before


def test_what_is_open_is_counted() -> None:
    before = descriptors.open_now()
    assert before is not None
    with socket.socket():
        assert descriptors.open_now() == before + 1


def test_without_a_descriptor_left_to_look_with_the_last_count_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: str) -> list[str]:
        raise OSError(errno.EMFILE, "no")

    monkeypatch.setattr(os, "listdir", full)
    assert descriptors.open_now() is None
    assert Reserve(1024, 512).short(1000)


def test_each_client_that_was_closed_frees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: 769)
    reserve = Reserve(1024, 512)
    reserve.freed()
    assert not reserve.short(10)  # with plenty nothing is counted
    assert reserve.short(769)
    for _ in range(3):
        reserve.freed()
    assert not reserve.short(10)


@pytest.mark.parametrize(("freed", "short"), [(0, True), (35, True), (36, False)])
def test_where_nothing_can_be_counted_those_that_come_and_go_tell(
    monkeypatch: pytest.MonkeyPatch, freed: int, short: bool
) -> None:
    """The first shows that 801 are in use, the second is one more; with 768 the reserve begins."""
    monkeypatch.setattr(descriptors, "open_now", lambda: None)
    reserve = Reserve(1024, 512)
    assert reserve.short(800)
    assert reserve.short(768)
    for _ in range(freed):
        reserve.freed()
    assert reserve.short(10) is short


def test_before_anybody_is_refused_what_is_in_use_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    in_use: int | None = None
    monkeypatch.setattr(descriptors, "open_now", lambda: in_use)
    reserve = Reserve(1024, 512)
    assert reserve.short(768)
    for _ in range(2):
        reserve.freed()
    in_use = 767
    assert not reserve.short(10)


def test_with_plenty_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: 1024)
    reserve = Reserve(1024, 512)
    assert not any(reserve.short(10) for _ in range(2000))


@pytest.mark.parametrize(("in_use", "counts"), [(672, 2), (671, 1)])
def test_below_seven_eighths_of_what_clients_may_have_it_is_plenty_again(
    monkeypatch: pytest.MonkeyPatch, in_use: int, counts: int
) -> None:
    Clock(monkeypatch)
    counted: list[int] = []

    def count() -> int:
        counted.append(in_use)
        return in_use

    monkeypatch.setattr(descriptors, "open_now", count)
    reserve = Reserve(1024, 512)
    assert not reserve.short(768)
    for _ in range(768 - 672):
        assert not reserve.short(10)
    assert len(counted) == counts


def test_half_of_a_small_reserve_is_for_those_that_wait_for_a_refusal() -> None:
    assert Reserve(256, 512).refused_at_once == 32


def test_a_reserve_that_is_configured_again_keeps_what_the_new_limit_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: 861)
    reserve = Reserve(1024, 8)
    assert not reserve.short(860)
    reserve.configure(512)
    assert Reserve(1024, 512).refused_at_once == reserve.refused_at_once
    assert reserve.short(860)


def test_after_an_accept_without_a_descriptor_all_are_taken_to_be_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: None)
    reserve, loop = Reserve(1024, 512), asyncio.new_event_loop()
    try:
        reserve.handle_exception(loop, {"message": "no", "exception": OSError(errno.EMFILE, "no"), "socket": 1})
    finally:
        loop.close()
    assert reserve.short(10)


def test_a_connection_whose_number_lies_in_the_reserve_shows_that_the_rest_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: 769)
    reserve = Reserve(1024, 512)
    assert not reserve.short(767)
    assert reserve.short(768)


def test_low_numbers_that_became_free_do_not_hide_that_the_reserve_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    in_use = 800
    monkeypatch.setattr(descriptors, "open_now", lambda: in_use)
    reserve = Reserve(1024, 512)
    assert reserve.short(800)
    assert reserve.short(10)
    in_use = 700
    assert not reserve.short(10)
    in_use = 300
    assert not reserve.short(768)
    in_use = 1024
    assert not any(reserve.short(10) for _ in range(2000)), "plenty again: nothing more is counted"


class Clock:
    """The clock of the module under test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(descriptors, "time", SimpleNamespace(monotonic=lambda: self.now))


def test_counting_takes_a_twentieth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counted = Clock(monkeypatch), list[float]()

    def count() -> int:
        counted.append(clock.now)
        clock.now += 0.5
        return 900

    monkeypatch.setattr(descriptors, "open_now", count)
    reserve = Reserve(1024, 512)
    for _ in range(45):
        assert reserve.short(900)
        clock.now += 0.5
    assert counted == [1000.0, 1010.5, 1021.0]


def test_a_high_limit_keeps_no_more_back_than_the_gateway_may_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: 65_001)
    reserve = Reserve(65_536, 512)
    assert not reserve.short(64_000)
    assert reserve.short(65_000)
    assert reserve.refused_at_once == 256


def test_a_shortage_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(descriptors, "open_now", lambda: 1001)
    clock, reserve = Clock(monkeypatch), Reserve(1024, 512)
    told = (
        "the process has nearly reached its limit of open files: idle clients are closed and new ones refused; "
        "raise the limit of open files"
    )
    for _ in range(1000):
        reserve.short(1000)
    assert caplog.messages == [told]
    clock.now += 60.0
    reserve.short(1000)
    assert caplog.messages == [told, f"{told} (and 999 times since this was last logged)"]
    assert [getattr(line, "more", None) for line in caplog.records] == [0, 999]


async def test_an_accept_without_a_descriptor_is_told_in_the_same_line_and_other_errors_as_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reserve = Reserve(1024, 512)
    loop = asyncio.get_running_loop()
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        context = {"message": "socket.accept() out of system resource", "exception": OSError(number, "no"), "socket": 1}
        reserve.handle_exception(loop, context)
    assert len(caplog.messages) == 1
    reserve.handle_exception(loop, {"message": "something else", "exception": OSError(errno.EMFILE, "no")})
    assert caplog.messages[1:] == ["something else"]


@dataclass
class Program:
    """The real program, with few descriptors."""

    process: asyncio.subprocess.Process
    port: int
    log: Path

    async def connect(self) -> Wire:
        async with asyncio.timeout(PATIENCE):
            return Wire(*await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, wire: bytes) -> Message:
        """One request on a connection of its own, again where the connection was only accepted and closed."""
        async with asyncio.timeout(PATIENCE):
            while True:
                client = await self.connect()
                try:
                    await client.send(wire)
                    return await client.message()
                except (ConnectionError, asyncio.IncompleteReadError):
                    pass
                finally:
                    await client.close()

    def lines(self, words: str) -> int:
        """How many lines of its log have these words."""
        return sum(words in line for line in self.log.read_text().splitlines())

    @property
    def sleeps(self) -> bool:
        """Whether it waits in the kernel for something to happen: what tries again and again always runs."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"

    def processor_seconds(self) -> float:
        """Processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(params=["asyncio", "uvloop"])
async def program(request: pytest.FixtureRequest, tmp_path: Path, origin: Origin) -> AsyncIterator[Program]:
    """The program on each kind of loop."""
    port = free_port()
    file, log = tmp_path / "config.yaml", tmp_path / "log"
    file.write_text(
        f"gateway: {origin.url}\nlisten: 127.0.0.1:{port}\nadmin: {{listen: null}}\nstate: {{url: 'memory:'}}\n"
        "webhooks: [{path: /tap, forward: false}]\n"
    )
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "ready")}
    if request.param == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError\n")
        environment["PYTHONPATH"] = f"{tmp_path}:{Path(descriptors.__file__).parents[3]}"
    ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ready.bind(str(tmp_path / "ready"))
    ready.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "statusproxy", "run", "--config", str(file), "--log-format", "text",
            stderr=output, env=environment,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW)),
        )  # fmt: skip
    running = Program(process, port, log)
    try:
        told = asyncio.create_task(asyncio.get_running_loop().sock_recv(ready, 4096))
        ended = asyncio.create_task(process.wait())
        await asyncio.wait([told, ended], timeout=3 * PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert told.done(), log.read_text()
        assert b"READY=1" in told.result()
        yield running
    finally:
        ready.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        assert (soft, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.mark.slow
async def test_the_program_has_a_wide_table_before_the_first_client_comes(program: Program) -> None:
    """Each growth would have every client wait until all processors have passed a point of rest."""
    assert _table_size(program.process.pid) == FEW


@pytest.mark.slow
async def test_silent_connections_beyond_all_descriptors_keep_nobody_out(program: Program) -> None:
    await until(lambda: program.lines("the limit of open files is 256") == 1)
    held = [await program.connect() for _ in range(FEW + 100)]
    used = program.processor_seconds()
    for _ in range(20):
        assert (await program.ask(get())).status == 200
        await until(lambda: program.sleeps)
    assert program.processor_seconds() - used < 0.5
    await until(lambda: program.lines("idle clients are closed and new ones refused") == 1)
    assert program.lines("Traceback") == 0
    for client in held:
        await client.close()


@pytest.mark.slow
async def test_with_all_descriptors_at_work_a_newcomer_is_refused_and_served_again_afterwards(program: Program) -> None:
    held = []
    for _ in range(FEW + 50):
        client = await program.connect()
        held.append(client)
        with contextlib.suppress(ConnectionError):
            await client.send(get("/tap", "Content-Length: 10", method="POST") + b"half")
    got = await program.ask(get())
    assert (got.status, got.get("Connection")) == (503, b"close")
    await until(lambda: program.lines("idle clients are closed and new ones refused") == 1)
    assert program.lines("Traceback") == 0
    for client in held:
        client.reset()
    async with asyncio.timeout(PATIENCE):
        while (await program.ask(get())).status != 200:
            pass
