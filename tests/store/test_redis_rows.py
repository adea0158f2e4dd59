"""Rows of the records in Redis: told by the server's clock, and with what a newer version wrote into them."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.status.model import Transient
from statusproxy.store.codec import RowError, encode
from statusproxy.store.redis_rows import from_server, read_row, to_server, write_row

from .samples import NOW, a_record, overridden


def members(row: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row)
    return found


def with_more(row: str, **more: Any) -> bytes:
    return json.dumps(json.loads(row) | more).encode()


@pytest.mark.parametrize("offset", [0.0, 300.123456, -300.123456])
def test_a_record_is_the_same_again_after_its_way_there_and_back(offset: float) -> None:
    record = replace(overridden("sales"), heard_at=NOW + 0.123456)
    there = to_server(record, offset)
    assert there.written is None
    assert there.heard_at == pytest.approx(NOW + 0.123456 + offset, abs=1e-7)
    assert from_server(there, offset) == replace(record, written=None)


def test_moments_are_told_to_the_microsecond() -> None:
    assert to_server(a_record("a", heard_at=NOW + 1.23e-7), 0.0).heard_at == NOW


def test_a_row_is_read_only_under_its_own_name() -> None:
    row = write_row(a_record("a"), b"")
    assert row == encode(a_record("a")).encode()
    assert read_row(b"a", row) == a_record("a")
    for field, payload in ((b"b", row), (b"a", b"{")):
        with pytest.raises(RowError):
            read_row(field, payload)


def test_members_that_a_newer_version_wrote_are_carried_on() -> None:
    before = with_more(encode(a_record("a")), mood={"is": ["good"]}, tone=1)
    row = write_row(a_record("a", heard_at=NOW + 1), before)
    assert members(row) == members(encode(a_record("a", heard_at=NOW + 1)).encode()) | {
        "mood": {"is": ["good"]},
        "tone": 1,
    }
    assert read_row(b"a", row) == a_record("a", heard_at=NOW + 1)


def test_members_of_an_override_are_carried_on_as_long_as_it_is_the_same() -> None:
    record = overridden("a")
    assert record.override is not None
    fields = json.loads(encode(record))
    before = json.dumps(fields | {"override": fields["override"] | {"claimed": "by b"}}).encode()
    same = replace(record, override=replace(record.override, caught_up_at=NOW + 9))
    assert members(write_row(same, before))["override"]["claimed"] == "by b"
    assert members(write_row(same, before))["override"]["caught_up_at"] == NOW + 9
    another = replace(record, override=replace(record.override, began=NOW + 9))
    assert "claimed" not in members(write_row(another, before))["override"]
    assert "override" not in members(write_row(replace(record, override=None), before))


@pytest.mark.parametrize("other", [{"at": NOW + 9}, {"began": NOW + 9}, {"event": "another"}])
@pytest.mark.parametrize("part", ["override", "transient"])
def test_a_part_that_differs_in_what_it_is_of_is_another_one(part: str, other: dict[str, Any]) -> None:
    record = replace(overridden("a"), transient=Transient(NOW, NOW, NOW, NOW + 5, "started"))
    fields = json.loads(encode(record))
    before = json.dumps(fields | {part: fields[part] | {"claimed": "by b"}}).encode()
    assert members(write_row(record, before))[part]["claimed"] == "by b"
    another = replace(record, **{part: replace(getattr(record, part), **other)})
    assert "claimed" not in members(write_row(another, before))[part]


def test_usual_values_are_left_out_wherever_they_come_from() -> None:
    begun = Transient(NOW, NOW, NOW, NOW + 5, "started")
    record = a_record("a", transient=begun)
    read = replace(record, known_lag=float("0.0"), transient=replace(begun, lag=float("0.0")))
    assert write_row(read, b"") == write_row(record, b"") == encode(record).encode()


def test_a_row_is_plain_ascii_whatever_the_id() -> None:
    for session in ("Vendas S\u00e3o Paulo", "\ud800"):
        row = write_row(a_record(session), b"")
        assert row == encode(a_record(session)).encode()
        assert row.isascii()


@pytest.mark.parametrize("before", [b"{", b"[]", b"[" * 100_000, encode(a_record("a", event="old")).encode()])
def test_a_row_without_such_members_is_just_replaced(before: bytes) -> None:
    assert write_row(a_record("a"), before) == encode(a_record("a")).encode()


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(TypeError):
        write_row(a_record("a", event=object()), b"")
