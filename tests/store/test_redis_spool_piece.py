"""What one commit writes of the spool: bounded, removals by themselves, and each op as the script takes it."""

from pathlib import Path

import pytest

from statusproxy.store.redis_spool_piece import changes, encoded, removals
from statusproxy.store.redis_spool_rows import to_server, write_entry
from statusproxy.store.redis_spool_script import Gone, Put, Row
from statusproxy.store.spooled import Moved, Removed, SpoolOp

from .samples import an_entry, kept


def test_removals_go_by_themselves_some_at_a_time() -> None:
    gone: list[SpoolOp] = [Removed(f"{number:04}") for number in range(501)]
    ops = [kept("a"), *gone, Moved(an_entry("b"))]
    assert removals(ops) == gone[:500]
    assert removals(gone[500:]) == gone[500:]
    assert changes(ops) == [ops[0], ops[-1]]
    assert removals([kept("a")]) == []


def test_changes_are_bounded_in_number() -> None:
    moved: list[SpoolOp] = [Moved(an_entry(f"{number:04}")) for number in range(65)]
    assert changes(moved) == moved[:64]
    assert changes(moved[:64]) == moved[:64]


def test_changes_are_bounded_in_bytes_but_never_none() -> None:
    body = b"x" * 200_000
    ops: list[SpoolOp] = [kept(f"{number}", body) for number in range(6)]
    assert changes(ops) == ops[:5]
    assert changes(ops[5:]) == ops[5:]
    head = kept("0", b"")._replace(content=kept("0", b"").content._replace(head=b"h" * 2_000_000))
    assert changes([head, head]) == [head]


def test_large_bodies_are_no_part_of_a_commit_and_do_not_count() -> None:
    large: list[SpoolOp] = [kept(f"{number}", b"x" * 300_000) for number in range(9)]
    files: list[SpoolOp] = [kept(f"f{number}", Path("/there")) for number in range(9)]
    assert changes([*large, *files]) == [*large, *files]


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_each_op_is_written_as_the_script_takes_it(offset: float) -> None:
    def row(id_: str, filed: bool = False) -> bytes:
        return write_entry(to_server(an_entry(id_, filed=filed), offset))

    ops: list[SpoolOp] = [
        kept("1", b"{}"),
        kept("2", b"x" * 262_145),
        kept("3", Path("/there")),
        Moved(an_entry("4")),
        Removed("5"),
    ]
    assert encoded(ops, offset, lambda _: None, {"2": 262_145}) == [
        Put("1", row("1"), b"POST /1 HTTP/1.1\r\n", b"{}"),
        Put("2", row("2"), b"POST /2 HTTP/1.1\r\n", b"", 262_145),
        Put("3", row("3", filed=True), b"POST /3 HTTP/1.1\r\n", b"", -1),
        Row("4", row("4")),
        Gone("5"),
    ]


def test_members_of_a_newer_version_are_carried_on() -> None:
    unknown = {"4": {"priority": 3}}
    ops: list[SpoolOp] = [Moved(an_entry("4")), kept("4"), Moved(an_entry("5"))]
    rows = encoded(ops, 0.0, unknown.get, {})
    assert [b'"priority":3' in op.row for op in rows if not isinstance(op, Gone)] == [True, True, False]


def test_a_body_that_is_just_small_goes_with_its_entry() -> None:
    body = b"x" * 262_144
    assert encoded([kept("1", body)], 0.0, lambda _: None, {}) == [
        Put("1", write_entry(an_entry("1")), b"POST /1 HTTP/1.1\r\n", body)
    ]
