"""Whoever logs never waits: readers that read nothing, little or late, disks that are full, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from statusproxy.observe import log_writer
from statusproxy.observe.log_writer import LogWriter
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Origin, Wire, get, until

#: What Linux's pipes hold.
PIPE = 64 * 1024


class Pipe:
    """A pipe with a writer at one end, and no one at the other until `read` is called."""

    def __init__(self, room: int = log_writer.ROOM) -> None:
        self.reads, self.writes = os.pipe()
        self.handler = LogWriter(self.writes, room=room)
        self.log = logging.Logger("test")  # noqa: LOG001 - one of its own, that no other test hears of
        self.log.addHandler(self.handler)

    def fill(self) -> None:
        """Have the pipe hold all it can."""
        os.set_blocking(self.writes, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.writes, b"full\n")
        os.set_blocking(self.writes, True)

    def read(self, until: Callable[[list[str]], bool]) -> list[str]:
        """Read lines until it is enough."""
        text = b""
        while not (text.endswith(b"\n") and until(text.decode().splitlines())):
            assert select.select([self.reads], [], [], PATIENCE)[0], text[-500:]
            text += os.read(self.reads, 1 << 16)
        return [line for line in text.decode().splitlines() if line != "full"]

    def close(self) -> None:
        self.handler.close()
        with contextlib.suppress(OSError):
            os.close(self.reads)
        os.close(self.writes)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_lines_come_whole_and_in_order(pipe: Pipe) -> None:
    for number in range(500):
        pipe.log.info("line %d", number)
    assert pipe.read(lambda lines: len(lines) == 500) == [f"line {number}" for number in range(500)]


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_loses_nothing_that_there_is_room_for(pipe: Pipe) -> None:
    pipe.fill()
    for number in range(2000):
        pipe.log.info("line %d", number)
    assert pipe.handler.waiting > 0  # and we are here
    assert pipe.read(lambda lines: lines[-1] == "line 1999") == [f"line {number}" for number in range(2000)]


def test_what_is_dropped_is_counted_and_told_once_when_lines_flow_again() -> None:
    pipe = Pipe(room=PIPE)
    pipe.fill()
    for number in range(5000):
        pipe.log.info("%063d", number)
    lines = pipe.read(lambda lines: "dropped" in lines[-1])
    kept = lines[:-1]
    assert kept == [f"{number:063}" for number in range(len(kept))]  # the oldest
    assert lines[-1].startswith(f"{5000 - len(kept)} log lines were dropped: ")
    pipe.log.info("after")
    assert pipe.read(bool) == ["after"]
    pipe.close()


def test_warnings_have_room_that_access_lines_cannot_take() -> None:
    pipe = Pipe(room=PIPE)
    pipe.fill()
    for _ in range(5000):
        pipe.log.info("%063d", 0)
    pipe.log.warning("a session is lost")
    assert "a session is lost" in pipe.read(lambda lines: "dropped" in lines[-1])
    pipe.close()


def test_what_waits_stays_within_its_bound() -> None:
    pipe = Pipe(room=PIPE)
    pipe.fill()
    for _ in range(5000):
        pipe.log.error("%063d", 0)
    assert pipe.handler.waiting <= PIPE
    pipe.log.error("x" * PIPE)
    assert pipe.handler.waiting <= PIPE
    pipe.close()


def test_flushing_waits_for_a_reader_that_is_slow(pipe: Pipe) -> None:
    pipe.fill()
    pipe.log.info("last")
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.extend(pipe.read(lambda lines: lines[-1] == "last")))
    reader.start()
    pipe.handler.flush()
    assert pipe.handler.waiting == 0
    reader.join()
    assert found[-1] == "last"


def test_flushing_gives_up_on_a_reader_that_takes_nothing(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "END_PATIENCE", 0.05)
    pipe.fill()
    pipe.log.info("never read")
    pipe.handler.flush()
    assert pipe.handler.waiting > 0


def test_a_file_that_others_made_non_blocking_loses_no_line(pipe: Pipe) -> None:
    pipe.fill()
    os.set_blocking(pipe.writes, False)
    for number in range(2000):
        pipe.log.info("line %d", number)
    assert pipe.read(lambda lines: lines[-1] == "line 1999") == [f"line {number}" for number in range(2000)]


def test_what_a_full_disk_refuses_is_written_when_it_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "_RETRY", 0.01)
    refused, write = threading.Event(), os.write
    full = True
    ours: list[int] = []

    def write_to_full_disk(descriptor: int, data: bytes) -> int:
        if descriptor in ours and full:
            refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr("os.write", write_to_full_disk)
    pipe = Pipe()
    ours.append(pipe.handler._descriptor)
    pipe.log.info("first")
    assert refused.wait(PATIENCE)
    pipe.log.info("second")
    full = False
    assert pipe.read(lambda lines: len(lines) == 2) == ["first", "second"]
    pipe.close()


def test_a_record_that_cannot_be_formatted_is_told_and_costs_nothing(pipe: Pipe) -> None:
    pipe.log.info("%d", "no number")
    pipe.log.info("next")
    assert pipe.read(lambda lines: len(lines) == 2) == [
        "a log line of test could not be formatted: TypeError",
        "next",
    ]


def test_whole_lines_are_written_together_as_far_as_that_is_atomic() -> None:
    lines = [b"a" * 1500 + b"\n", b"b" * 1500 + b"\n", b"c" * 1500 + b"\n", b"d" * 9000 + b"\n", b"e\n"]
    assert list(log_writer._pieces(lines)) == [lines[0] + lines[1], lines[2], lines[3], lines[4]]


# The real program


@pytest.mark.slow
async def test_a_pipe_that_nobody_reads_stops_no_request_and_the_log_goes_on_when_it_is_read(tmp_path: Path) -> None:
    origin = Origin()
    await origin.start()
    port, requests = free_port(), 600
    file = tmp_path / "config.yaml"
    settings = {
        "listen": f"127.0.0.1:{port}", "gateway": origin.url, "admin": None, "state": {"url": "memory:"},
        "log": {"access": True, "format": "json"},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(settings))
    reads, writes = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "statusproxy", "run", "-c", str(file), stderr=writes
    )
    try:
        wire = await _connected(port)
        for _ in range(requests):
            await wire.send(get("/health"))
            assert (await wire.message()).status == 200  # harness: within PATIENCE seconds
        await wire.close()
        # It is full, once the thread that writes has come so far, and stays so until here.
        await until(lambda: not _takes_more(writes))
        os.close(writes)
        process.send_signal(signal.SIGTERM)
        text = await asyncio.to_thread(_read_all, reads)
        assert await process.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await origin.stop()
    lines = [json.loads(line) for line in text.splitlines()]
    assert sum(line["message"] == "GET /health 200" for line in lines) == requests
    assert lines[-1]["message"] == "stopped"


async def _connected(port: int) -> Wire:
    wires: list[Wire] = []

    async def connects() -> bool:
        with contextlib.suppress(OSError):
            wires.append(Wire(*await asyncio.open_connection("127.0.0.1", port)))
        return bool(wires)

    await until(connects)
    return wires[0]


def _takes_more(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as stream:
        return stream.read()
