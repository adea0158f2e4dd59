"""A journal's file gives back what was written, whatever end its writer came to, and never what is another's."""

import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.store import journal_file as journal_file_module
from statusproxy.store.backlog import Dropped, Entry, Item
from statusproxy.store.codec import encode
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.journal_file import Found, JournalFile, encode_items, file_name

from .samples import NOW, a_change, a_record, overridden

PLACE = "redis at redis.example:6379/0, keys statusproxy:*"
ITEMS: list[Item] = [
    overridden("sales"),
    a_record("Vendas São Paulo"),
    a_record("\ud800"),
    a_record("never", alive_at=float("-inf")),
    Dropped("support\n", NOW),
    Entry(a_change("sales"), 7),
]


def lines(*items: Item) -> bytes:
    return b"".join(encode_items(items))


@contextmanager
def opened(folder: Path, place: str = PLACE) -> Iterator[tuple[JournalFile, Found]]:
    journal, found = JournalFile.open(folder, place)
    try:
        yield journal, found
    finally:
        journal.close()


def found_in(folder: Path, place: str = PLACE) -> Found:
    with opened(folder, place) as (_, found):
        return found


def written(folder: Path, *items: Item) -> Path:
    """A journal with these items; its path."""
    with opened(folder) as (journal, _):
        journal.append(lines(*items))
        return journal.path


def test_what_was_appended_is_found_again_in_order(tmp_path: Path) -> None:
    with opened(tmp_path) as (journal, found):
        assert found.items == []
        for item in ITEMS:
            journal.append(lines(item))
    assert found_in(tmp_path).items == ITEMS


def test_what_was_found_stays_and_more_can_be_added(tmp_path: Path) -> None:
    written(tmp_path, a_record("a"))
    with opened(tmp_path) as (journal, _):
        journal.append(lines(a_record("b")))
    assert found_in(tmp_path).items == [a_record("a"), a_record("b")]


def test_rewriting_replaces_all_and_can_be_added_to(tmp_path: Path) -> None:
    written(tmp_path, *ITEMS)
    with opened(tmp_path) as (journal, _):
        journal.rewrite(lines(a_record("a")))
        journal.append(lines(a_record("b")))
    assert found_in(tmp_path).items == [a_record("a"), a_record("b")]


def test_nothing_is_left_once_it_is_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as (journal, _):
        journal.append(lines(*ITEMS))
        journal.remove()
        assert not journal.path.exists()
        journal.append(lines(a_record("a")))
    assert found_in(tmp_path).items == [a_record("a")]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_its_user_may_read_it(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "new" / "folder"
    before = os.umask(umask)
    try:
        with opened(folder) as (journal, _):
            journal.append(lines(a_record("a")))
            assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
            journal.rewrite(lines(a_record("a")))
            assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_one_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = written(tmp_path, a_record("a"))
    path.chmod(0o644)
    found_in(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / file_name(PLACE)).symlink_to(precious)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="symbolic"):
        found_in(tmp_path)
    assert os.listdir("/proc/self/fd") == before
    assert precious.read_text() == "precious"


# ---- cut short, and damaged ----


@pytest.mark.slow
def test_wherever_the_writing_broke_off_what_was_on_disk_before_is_found(tmp_path: Path) -> None:
    path = written(tmp_path, *ITEMS)
    whole = path.read_bytes()
    ends = [match.end() for match in re.finditer(rb"\n", whole)]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        found = found_in(tmp_path)
        complete = sum(end <= length for end in ends) - 1  # less the first line
        assert found.items == ITEMS[: max(0, complete)], length
        assert (found.damaged, found.set_aside) == (0, None)


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"garbage\n", b"\0\0\n\0\n", lines(a_record("x"))[:-5] + b"\n"])
def test_garbage_behind_the_last_line_is_ignored_and_not_mixed_with_what_follows(tmp_path: Path, tail: bytes) -> None:
    path = written(tmp_path, a_record("a"))
    path.write_bytes(path.read_bytes() + tail)
    with opened(tmp_path) as (journal, found):
        assert (found.items, found.damaged) == ([a_record("a")], 0)
        journal.append(lines(a_record("b")))
    assert found_in(tmp_path).items == [a_record("a"), a_record("b")]


@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_damaged_line_costs_no_other_and_the_file_is_kept(tmp_path: Path, which: int) -> None:
    items = [a_record("a"), a_record("b"), a_record("c"), a_record("d")]
    path = written(tmp_path, *items)
    broken = path.read_bytes().split(b"\n")
    broken[which] = broken[which][:-3] + b"?" + broken[which][-2:]
    path.write_bytes(b"\n".join(broken))
    found = found_in(tmp_path)
    assert found.items == [item for number, item in enumerate(items, 1) if number != which]
    assert found.damaged == 1
    assert found.set_aside is not None
    assert found.set_aside.read_bytes() == b"\n".join(broken)
    again = found_in(tmp_path)  # what can be read was written anew
    assert (again.items, again.damaged, again.set_aside) == (found.items, 0, None)


@pytest.mark.parametrize("line", [b"", b"00000000 ", b"00000000 put", b"0000000g put {}"])
def test_a_line_of_another_form_is_damage(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path, a_record("a"))
    path.write_bytes(path.read_bytes() + line + b"\n" + lines(a_record("b")))
    found = found_in(tmp_path)
    assert (found.items, found.damaged) == ([a_record("a"), a_record("b")], 1)


@given(st.binary(max_size=200))
def test_whatever_stands_in_it_is_no_crash(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    folder = tmp_path_factory.mktemp("journal")
    (folder / file_name(PLACE)).write_bytes(garbage)
    assert found_in(folder).items == []


def test_after_a_failed_write_the_next_one_does_not_continue_a_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as (journal, _):
        journal.append(lines(a_record("a")))
        write = os.pwrite

        def full(handle: int, data: Any, at: int) -> int:
            if at > journal.size + 10:
                raise OSError(28, "No space left on device")
            return write(handle, bytes(data)[:20], at)

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space"):
            journal.append(lines(a_record("b")))
        monkeypatch.undo()
        journal.append(lines(a_record("c")))
    assert found_in(tmp_path).items == [a_record("a"), a_record("c")]


def test_a_failed_rewrite_leaves_the_old_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with opened(tmp_path) as (journal, _):
        journal.append(lines(a_record("a")))
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            with pytest.raises(OSError, match="No space"):
                journal.rewrite(lines(a_record("b")))
        journal.append(lines(a_record("c")))
    assert found_in(tmp_path).items == [a_record("a"), a_record("c")]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".journal", ".lock"]


@pytest.mark.parametrize("body", [
    b'put {"format":1}', b"put x", b"of {", b"drop 7", b'drop ["x","a"]', b"drop [1,2,3]", b"log [{},1]",
    b'log ["x",{"format":1}]', b"log " + b"[" * 100_000,
])  # fmt: skip
def test_a_line_that_is_whole_and_says_nothing_of_ours_is_damage(tmp_path: Path, body: bytes) -> None:
    path = written(tmp_path, a_record("a"), a_record("b"))
    first, one, *others = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, b"%08x %b" % (crc32(body), body), one, *others]))
    found = found_in(tmp_path)
    assert (found.items, found.damaged) == ([a_record("a"), a_record("b")], 1)


def test_what_is_set_aside_takes_no_other_ones_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2026, 1, 15, 19, 7, 6, 3, 15, 0)))
    names = []
    for number in range(3):
        path = written(tmp_path, a_record("a"), a_record("b"))
        path.write_bytes(path.read_bytes().replace(b'"a"', b'"%d"' % number))
        aside = found_in(tmp_path).set_aside
        assert aside is not None
        assert b'"%d"' % number in aside.read_bytes()
        names.append(aside.name.removeprefix(path.name))
        path.unlink()
    assert names == [".unreadable-20260115T190706Z" + ending for ending in ("", ".2", ".3")]


def test_each_line_is_as_an_operator_finds_it_described(tmp_path: Path) -> None:
    path = written(tmp_path, a_record("a"), Dropped("b", NOW), Entry(a_change("c"), 7))
    place, put, drop, log, end = path.read_bytes().split(b"\n")
    assert [line[9:].partition(b" ") for line in (place, drop)] == [
        (b"of", b" ", json.dumps(PLACE).encode()), (b"drop", b" ", b'[1768504026.5, "b"]'),
    ]  # fmt: skip
    assert put[9:] == b"put " + encode(a_record("a")).encode()
    assert log[9:] == b"log [7," + encode(a_change("c")).encode() + b"]"
    assert [line[:8] for line in (place, put, drop, log)] == [
        b"%08x" % crc32(line[9:]) for line in (place, put, drop, log)
    ]
    assert end == b""


# ---- on disk ----


def test_every_write_is_on_disk_when_it_returns_and_no_file_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink().name.removeprefix(file_name(PLACE)[:-8]))

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, note)
    before = os.listdir("/proc/self/fd")
    with opened(tmp_path) as (journal, _):
        synced.clear()
        journal.append(lines(a_record("a")))
        assert synced == [".journal", tmp_path.name, ".journal"]
        synced.clear()
        journal.append(lines(a_record("b")))
        assert synced == [".journal"]
        synced.clear()
        handles = len(os.listdir("/proc/self/fd"))
        journal.rewrite(lines(a_record("c")))
        assert synced == [".new", tmp_path.name, ".new", tmp_path.name]
        assert len(os.listdir("/proc/self/fd")) == handles
        assert journal.size == journal.path.stat().st_size
        synced.clear()
        journal.remove()
        journal.remove()
        assert (synced, journal.size) == ([tmp_path.name], 0)
        assert len(os.listdir("/proc/self/fd")) == handles - 1
    assert os.listdir("/proc/self/fd") == before


def test_what_an_interrupted_rewrite_left_is_no_hindrance(tmp_path: Path) -> None:
    with opened(tmp_path) as (journal, _):
        fresh = journal.path.with_suffix(".new")
        fresh.write_bytes(lines(*[a_record("stale")] * 50))
        journal.rewrite(lines(a_record("a")))
        assert not fresh.exists()
    assert found_in(tmp_path).items == [a_record("a")]


def test_a_probe_leaves_nothing_and_a_failing_disk_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as (journal, _):
        journal.probe()
        assert list(tmp_path.glob("*.journal")) == []

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        before = os.listdir("/proc/self/fd")
        with pytest.raises(OSError, match="No space"):
            journal.probe()
        assert os.listdir("/proc/self/fd") == before


def test_one_that_is_closed_while_something_waits_keeps_it_and_no_file_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    written(tmp_path, a_record("a"))
    assert os.listdir("/proc/self/fd") == before
    assert found_in(tmp_path).items == [a_record("a")]
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("kept", [1, 2])
def test_one_in_which_nothing_waits_is_gone_once_it_was_looked_at(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path, a_record("a"))
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:kept])[: -1 if kept == 2 else None])
    with opened(tmp_path) as (journal, found):
        assert (found.items, journal.size) == ([], 0)
        assert not path.exists()


def test_a_torn_end_is_cut_off_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, a_record("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + b"garbage\nmore\ntorn")
    with opened(tmp_path) as (journal, found):
        assert (found.items, journal.size) == ([a_record("a")], len(whole))
        assert path.read_bytes() == whole


def test_long_work_rests_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)
    assert encode_items([]) == (b"", b"")
    lines(*[a_record("a")] * 149)
    assert len(rests) == 2
    assert 0 < max(rests) < 0.001


# ---- whose it is ----


def test_one_in_use_is_waited_for_two_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(journal_file_module, "lock_file", lambda _, wait: waits.append(wait))
    before = os.listdir("/proc/self/fd")
    with pytest.raises(StoreInUseError, match=f"^in use: {tmp_path}/redis-.*journal is held by another statusproxy$"):
        JournalFile.open(tmp_path, PLACE)
    assert waits == [2.0]
    assert os.listdir("/proc/self/fd") == before


def test_the_name_is_legible_and_short() -> None:
    assert file_name(PLACE) == "redis-redis.example-6379-0-3b9e21f7.journal"
    assert file_name("redis at [::1]:/0, keys a:*").startswith("redis-1-0-")
    assert file_name("redis at -.ä/" + "x" * 100 + ", keys a:*").startswith("redis-" + "x" * 80 + "-")


def test_two_processes_never_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statusproxy.store.journal_file._LOCK_WAIT", 0.0)
    with opened(tmp_path) as (journal, _):
        with pytest.raises(StoreInUseError, match="in use: "):
            JournalFile.open(tmp_path, PLACE)
        with opened(tmp_path, PLACE.replace("statusproxy:", "other:")) as (other, _):
            assert other.path != journal.path
    found_in(tmp_path)  # let go


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a.example:6379/0", "a:"), ("a.example:6379/0", "b:")),
        (("a.example:6379/0", "a:"), ("a.example:6379/1", "a:")),
        (("a.example:6379/0", "a:"), ("b.example:6379/0", "a:")),
        (("a.example:6379/0", "a:"), ("a.example:6380/0", "a:")),
        (("a.example:6379/0", "a/b:"), ("a.example:6379/0", "a-b:")),
        (("a.example:6379/0", "ä:"), ("a.example:6379/0", "ö:")),
    ],
)
def test_each_server_database_and_prefix_has_a_name_of_its_own(one: tuple[str, str], other: tuple[str, str]) -> None:
    names = [file_name(f"redis at {server}, keys {prefix}*") for server, prefix in (one, other)]
    assert names[0] != names[1]
    assert all(re.fullmatch(r"redis-[A-Za-z0-9.-]+\.journal", name) for name in names)


def test_one_of_another_server_is_not_applied_and_is_kept(tmp_path: Path) -> None:
    other = PLACE.replace("redis.example", "other.example")
    with opened(tmp_path, other) as (journal, _):
        journal.append(lines(a_record("a")))
    (tmp_path / file_name(other)).rename(tmp_path / file_name(PLACE))
    found = found_in(tmp_path)
    assert found.items == []
    assert found.set_aside is not None
    assert b"other.example" in found.set_aside.read_bytes()


def test_one_that_was_left_behind_is_named_and_one_in_use_is_not(tmp_path: Path) -> None:
    left, used = (PLACE.replace("statusproxy:", prefix) for prefix in ("left:", "used:"))
    with opened(tmp_path, left) as (journal, _):
        journal.append(lines(a_record("a")))
    with opened(tmp_path, used) as (journal, _):
        journal.append(lines(a_record("b")))
        before = os.listdir("/proc/self/fd")
        assert found_in(tmp_path).others == [tmp_path / file_name(left)]
        assert os.listdir("/proc/self/fd") == before


def test_what_cannot_be_encoded_is_left_out(tmp_path: Path) -> None:
    bad = a_record("bad", event=object())
    assert written(tmp_path, bad, a_record("good"))
    assert found_in(tmp_path).items == [a_record("good")]


def test_no_secret_stands_in_it(tmp_path: Path) -> None:
    from statusproxy.config.state_url import parse_state_url

    place = parse_state_url("redis://user:hidden-1@redis.example:6379/0")
    with opened(tmp_path, str(place)) as (journal, _):
        journal.append(lines(a_record("a")))
        assert b"hidden" not in journal.path.read_bytes()
        assert "hidden" not in journal.path.name
