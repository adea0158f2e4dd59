"""The document as the thread knows it, and how it is asked for."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.sqlite_outbox import KnownOutbox, SqliteOutbox

from .crashing import killed_at_each_step
from .samples import sqlite_store

ONE, TWO = OutboxDocument(1, b"one"), OutboxDocument(2, b"two")


def test_what_is_pending_is_written_until_it_is_on_disk() -> None:
    known = KnownOutbox()
    assert known.due(anew=True) is None
    known.pending = ONE
    assert (known.due(anew=False), known.due(anew=True)) == (ONE, ONE)
    known.committed()
    assert (known.document, known.due(anew=False)) == (ONE, None)
    known.committed()
    assert known.document == ONE


def test_a_new_file_gets_what_is_known_and_nothing_where_nothing_was_ever_written() -> None:
    known = KnownOutbox()
    known.document = OutboxDocument(0, b"")
    assert known.due(anew=True) is None
    known.document = ONE
    assert known.due(anew=True) == ONE
    known.pending = TWO
    assert known.due(anew=True) == TWO


async def test_both_questions_are_asked_in_the_thread() -> None:
    class Writer:
        def outbox(self) -> OutboxDocument:
            return ONE

        def write_outbox(self, payload: bytes, after: int) -> int | None:
            return after + 1 if (payload, after) == (b"two", 1) else None

    asked = 0

    async def ask(question: Callable[[], Any]) -> Any:
        nonlocal asked
        asked += 1
        return question()

    outbox = SqliteOutbox(Writer(), ask)
    assert await outbox.read() == ONE
    assert (await outbox.write(b"two", 1), await outbox.write(b"two", 0), asked) == (2, None, 3)


_IMPORTS = "import asyncio\nfrom tests.store.samples import sqlite_store"


def payload(version: int) -> bytes:
    """One of 100 KB that tells its version everywhere."""
    return b"%08d" % version * 12_500


async def stored(path: Path) -> OutboxDocument:
    store = sqlite_store(path)
    await store.open()
    try:
        assert store.outbox is not None
        return await store.outbox.read()
    finally:
        await store.close()


@pytest.mark.slow
def test_killed_at_any_moment_of_a_write_the_old_document_or_the_new_one_is_there(path: Path) -> None:
    script = """
        import asyncio, sys
        from pathlib import Path
        from tests.store.samples import sqlite_store

        async def main():
            store = sqlite_store(Path(sys.argv[1]))
            await store.open()
            version = (await store.outbox.read()).version
            while True:
                version = await store.outbox.write(b"%08d" % (version + 1) * 12_500, version)
                print(version, flush=True)

        asyncio.run(main())
    """
    for writes in range(1, 8):  # killed in the middle of the write after so many
        least = killed_after(writes, textwrap.dedent(script), path)
        version, there = asyncio.run(stored(path))
        assert version >= least
        assert there == payload(version)


def killed_after(lines: int, script: str, path: Path) -> int:
    """Kill -9 a script after so many lines; give the last number that it printed."""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        return max(int(line) for line in [*said, *process.stdout] if line.endswith("\n"))


@pytest.mark.slow
def test_killed_at_any_step_in_the_file_system_the_document_is_whole(path: Path) -> None:
    script = """
        async def main():
            store = sqlite_store(Path(sys.argv[1]))
            await store.open()
            version = (await store.outbox.read()).version
            await store.outbox.write(b"%08d" % (version + 1) * 12_500, version)
            await store.close()

        asyncio.run(main())
    """
    before = 0
    for _ in killed_at_each_step(_IMPORTS, script, path):
        version, there = asyncio.run(stored(path))
        assert version in (before, before + 1)
        assert there == (payload(version) if version else b"")
        before = version
