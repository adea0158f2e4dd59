"""Reading a list: short or long, in one go or in steps, the ids and the objects are the same."""

import json
from collections.abc import Generator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status import channel_list, list_reader, named_elements
from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.element_spans import FEW
from statusproxy.status.list_reader import SMALL, ListReader
from statusproxy.status.model import Said
from statusproxy.status.named_elements import NamedElements
from statusproxy.status.pieces import LARGEST
from statusproxy.status.set_values import OTHERWISE, ByWord
from tests.status.test_channels import LIST, ONE, documents, everything_is_long


def listing(count: int, **more: object) -> bytes:
    channels = [{"id": f"s{number}", "status": "connected", **more} for number in range(count)]
    return json.dumps({"success": True, "channels": channels, "total": count}).encode()


def read(body: bytes, path_id: str | None = None, rule: ChannelRule = LIST) -> ChannelList:
    found = ChannelList(body, ONE if path_id is not None else rule, path_id)
    found.read()
    return found


@pytest.mark.parametrize(
    ("body", "rule", "path_id", "subject"),
    [
        (b'[{"id":"a"}]', LIST, None, None),
        (b'{"id":"a"}', ONE, "sales", "sales"),
        (b'{"id":"a"}', replace(ONE, one=True), None, "a"),
        (b'{"status":"open"}', replace(ONE, one=True), None, ""),
        (b' [{"id":"a"}]', replace(LIST, one=True), None, None),
    ],
)
def test_an_answer_about_one_channel_is_told_from_a_list(
    body: bytes, rule: ChannelRule, path_id: str | None, subject: str | None
) -> None:
    found = ChannelList(body, rule, path_id)
    found.read()
    assert (found.subject, found.whole) == (subject, subject is None)


def test_a_list_asked_for_with_a_query_may_leave_channels_out() -> None:
    found = ChannelList(b'[{"id":"a"}]', LIST, None, "name=a")
    found.read()
    assert (found.single, found.whole, found.subject) == (False, False, None)


def essence(found: ChannelList) -> tuple[object, ...]:
    ids = list(found.ids.exact)
    return found.failure, ids, list(map(found.place, ids)), list(map(found.objects, ids)), list(map(found.said, ids))


def test_ids_are_read_once_and_objects_when_asked_for() -> None:
    found = read(listing(3))
    assert list(found.ids.exact) == ["s0", "s1", "s2"]
    assert (len(found), found.place("s2"), found.whole, found.failure) == (3, 2, True, None)
    assert found.objects("s1") is found.objects("s1")
    assert found.said("s1").word == "connected"


def test_what_has_been_read_is_not_read_again() -> None:
    found = read(listing(3))
    with mock.patch.object(ListReader, "find", side_effect=AssertionError):
        assert list(found.steps()) == []
        found.read()
    assert (list(found.ids.exact), found.failure) == (["s0", "s1", "s2"], None)


@pytest.mark.parametrize(
    ("others", "failure"),
    [
        (b'[1,"a",{"id":"no"}]', None),
        (b'["\\ud800",1e400,{"id":"no"}]', None),
        (b"[1 2]", "not-json"),
        (b"[1] [2]", "not-json"),
        (b'[{"a":[1}]]', "not-json"),
        (b'["\\ud800",NaN]', "not-json"),
    ],
)
def test_cut_into_pieces_an_array_beside_the_list_is_judged_too(others: bytes, failure: str | None) -> None:
    body = b'{"others":%b,"channels":[{"id":"sales","status":1}]}' % others
    assert read(body).failure == failure
    with everything_is_long():
        found = read(body)
    assert (found.failure, list(found.ids.exact)) == (failure, [] if failure else ["sales"])


@given(documents, st.integers(1, 60))
@pytest.mark.slow
def test_cut_into_pieces_a_document_reads_the_same(body: bytes, piece: int) -> None:
    at_once = essence(read(body))
    with everything_is_long(piece):
        assert essence(read(body)) == at_once


@given(
    st.tuples(documents, st.binary(max_size=3), st.integers(0, 200)).map(
        lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] :]
    )
)
@pytest.mark.slow
def test_cut_into_pieces_what_is_no_json_is_still_none(body: bytes) -> None:
    at_once = read(body).failure
    with everything_is_long():
        assert read(body).failure == at_once


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 50])
def test_each_channel_is_found_whether_few_or_many_are_asked_for(count: int) -> None:
    found = read(listing(100))
    for number in range(count):
        at, end, _ = found.objects(f"s{number}")[0].edits[0]
        assert found.body[at:end] == b'"connected"'
        assert found.body[:at].count(b'"status"') == number + 1


def test_a_list_in_which_not_all_elements_are_objects_is_read_without_the_slow_way() -> None:
    body = b'[1,"sales",{"id":"sales","status":1},[{"id":"no"}],null,{"id":"support"}]'
    with mock.patch.object(ListReader, "_find_slowly", side_effect=AssertionError):
        found = read(body)
    assert list(found.ids.exact) == ["sales", "support"]


def test_an_id_listed_twice_has_both_objects() -> None:
    found = read(b'[{"id":"a","status":1},{"id":"b"},{"id":"a","status":2}]')
    assert [one.word for one in found.objects("a")] == ["1", "2"]
    assert (found.said("a").word, found.place("b")) == ("1", 1)


@pytest.mark.parametrize("extra", [0, 1])
def test_an_answer_about_one_channel_is_never_cut_but_bounded(extra: int) -> None:
    frame = b'{"channel":{"status":"connected","about":"%b"}}'
    body = frame % (b"x" * (LARGEST - len(frame) + 2 + extra))
    assert read(body, "sales").failure == ("too-large" if extra else None)


def test_a_channel_of_megabytes_is_too_large() -> None:
    body = listing(3, about="x" * LARGEST)
    assert read(body).failure == "too-large"


@pytest.mark.parametrize(("size", "failure"), [(200_000, None), (300_000, "too-large")])
@pytest.mark.parametrize(
    ("around", "path_id"),
    [
        (b'{"channel":%b}', "sales"),
        (b'{"channels":[%b]}', None),
        (b'{"others":[%b],"channels":[{"id":"sales"}]}', None),
    ],
    ids=["one channel", "list", "beside the list"],
)
def test_what_only_the_slow_way_can_read_is_bounded(
    around: bytes, path_id: str | None, size: int, failure: str | None
) -> None:
    channel = b'{"id":"sales","about":"\\ud800%b"}' % (b"x" * size)
    found = read(around % channel, path_id)
    assert (found.failure, list(found.ids.exact)) == (failure, [] if failure else ["sales"])


def test_more_channels_than_anybody_has_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_reader, "_CHANNELS", 20)
    with everything_is_long():
        assert read(listing(20)).failure is None
        assert read(listing(21)).failure == "too-large"


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        listing(60_000),
        b"[" + b",".join([b"{}"] * 200_000) + b"]",
        b"[" + b",".join([b'{"id":"\\ud800"}'] * 40_000) + b"]",
        b"[" + b",".join([b"0"] * 400_000) + b"]",
    ],
    ids=["channels", "empty objects", "half surrogates", "numbers"],
)
def test_a_long_list_is_read_in_many_steps(body: bytes) -> None:
    found = ChannelList(body, LIST)
    assert sum(1 for _ in found.steps()) >= 8
    assert found.is_read
    assert found.failure is None


def test_what_reads_a_long_list_is_made_in_a_step_of_its_own() -> None:
    rule, body = replace(LIST), listing(10_000)
    assert len(body) > SMALL
    with (
        mock.patch.object(ListReader, "find", side_effect=AssertionError),
        mock.patch.object(NamedElements, "find_in_steps", side_effect=AssertionError),
    ):
        for steps in (ChannelList(body, rule).steps(), ChannelList(body, rule).find_in_steps(("s0",))):
            next(steps)
    assert rule.is_prepared


@pytest.mark.parametrize(
    ("ids", "more"),
    [
        (["a", "b", "c", "d", "e"], 0),
        (["a", None, "c", None, "e"], 0),
        (["a", "b", "a", None, "e"], 3),  # a second look at them all, two at a time
    ],
)
def test_the_ids_of_a_long_list_are_taken_part_by_part(ids: list[str | None], more: int) -> None:
    body = json.dumps([{} if one is None else {"id": one} for one in ids]).encode()
    with everything_is_long(piece=2):
        found = sum(1 for _ in LIST.list_reader.find(body, one=False))
        assert sum(1 for _ in ChannelList(body, LIST).steps()) == found + len(ids) + more


def test_two_who_read_the_same_list_step_by_step_do_not_disturb_each_other() -> None:
    body = b'[{"id":"a","status":1},{"id":"a","status":2},{"id":"b","status":3}]'
    expected = essence(read(body))
    with everything_is_long(piece=1):
        found = ChannelList(body, LIST)
        one, other = found.steps(), found.steps()
        for _ in one:
            next(other, None)
        for _ in other:
            pass
        assert essence(found) == expected


def test_every_channel_is_given_in_its_order_with_its_place_named_or_not() -> None:
    body = b'{"channels":[{"id":"a"},7,{"id":"b"},{"id":"a","x":1}]}'
    for found in (read(body), read_in_pieces(body)):
        entries = [(channel, body[start:end]) for channel, (start, end) in found.entries()]
        assert entries == [("a", b'{"id":"a"}'), (None, b"7"), ("b", b'{"id":"b"}'), ("a", b'{"id":"a","x":1}')]
        assert found.path == ("channels",)


def read_in_pieces(body: bytes) -> ChannelList:
    with everything_is_long(piece=2):
        return read(body)


def test_an_answer_that_could_not_be_read_has_no_entries() -> None:
    deep, longer = (b"[" * depth + b"]" * depth for depth in (100_000, 140_000))  # the longer one is read in steps
    for body, failure in ((b"{}", "no-list"), (b"{", "not-json"), (deep, "too-deep"), (longer, "too-deep")):
        found = read(body)
        assert (found.failure, found.path, list(found.entries()), len(found)) == (failure, None, [], 0)


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ('{"id":"a","status":"open"}', Said("a", "open", keeps=False, connected=True)),
        ('{"id":"a"},{"id":"a","status":"qr"}', Said("a", "qr", keeps=True, connected=False)),
        ('{"id":"a","status":"open"},{"id":"a","status":"QR"}', Said("a", "open", keeps=True, connected=True)),
        ('{"id":"a"},{"id":"a"}', Said("a", None, keeps=False, connected=False)),
        ('{"id":"a","status":" Connected"}', Said("a", " Connected", keeps=False, connected=True)),
    ],
)
def test_what_the_gateway_says_of_a_channel_is_what_any_of_its_objects_says(objects: str, said: Said) -> None:
    for found in (read(f"[{objects}]".encode()), read_in_pieces(f"[{objects}]".encode())):
        assert found.said("a") == said


@pytest.mark.parametrize(
    ("word", "values"),
    [
        (None, [b'"off"', b"false"] * 2),
        ("other", [b'"off"', b"false"] * 2),
        (" Loggedout", [b'"unpaired"', b"false"] * 2),
        ("closing", [b'"off"'] * 2),
    ],
)
def test_what_is_written_in_each_object_of_a_channel_goes_by_the_events_word(
    word: str | None, values: list[bytes]
) -> None:
    by_word = ByWord({"loggedout": "unpaired", OTHERWISE: "off"})
    rule = replace(LIST, set={"status": by_word, "connected": ByWord({"closing": True, OTHERWISE: False})})
    body = b'[{"id":"a","status":"open","connected":true},{"id":"b"},{"id":"a","status":"open","connected":true}]'
    found = ChannelList(body, rule)
    found.read()
    for _ in range(2):  # what reads for a word is made once
        assert [new for _, _, new in found.edits("a", word)] == values
        assert found.edits("b", word) == []
    assert rule.reader_for(word) is rule.reader_for(word)
    plain = read(body)
    assert plain.edits("a", word) == [edit for one in plain.objects("a") for edit in one.edits]


def test_a_rule_tells_whether_what_is_set_goes_by_the_events_word() -> None:
    assert LIST.goes_by_word is False
    assert replace(LIST, set={"status": ByWord({"qr": "waiting", OTHERWISE: "off"})}).goes_by_word is True


@pytest.mark.parametrize("in_steps", [False, True])
def test_a_few_channels_are_found_without_reading_the_others(in_steps: bool) -> None:
    def find(found: ChannelList, *channels: str) -> bool:
        if not in_steps:
            return found.find(channels)
        for _ in found.find_in_steps(channels):
            pass
        return found.has_found(channels)

    found, thorough = ChannelList(listing(3), LIST), read(listing(3))
    assert find(found, "s2", "s0")
    assert not found.is_read
    assert [found.has_found(channels) for channels in (["s2"], ["s0", "s2"], ["s1"], [])] == [True, True, False, False]
    for channel in ("s0", "s2"):
        assert found.objects(channel) == thorough.objects(channel)
        assert found.said(channel) == thorough.said(channel)
        assert found.edits(channel, None) == thorough.edits(channel, None)
    assert found.place("s0") < found.place("s2")
    assert found.body.startswith(b'{"id": "s2"', found.place("s2"))
    assert not find(found, "s0", "nobody")
    assert not find(ChannelList(listing(3), LIST, "s0"), "s0"), "it is about one channel"
    assert find(found, "s1")
    found.read()
    assert (essence(found), find(found, "s1")) == (essence(thorough), False)


def test_what_is_found_after_someone_else_has_read_all_channels_hides_none_of_them() -> None:
    found = ChannelList(listing(12), LIST)
    with mock.patch.multiple(named_elements, SMALL=0, _PIECE=60):
        steps = found.find_in_steps(("s0",))
        next(steps)
        found.read()
        for _ in steps:
            pass
    assert found.said("s11").channel == "s11"
    assert essence(found) == essence(read(listing(12)))


@pytest.mark.parametrize("space", [b" ", b""])
def test_a_few_channels_are_found_in_a_long_list_too(space: bytes) -> None:
    found = ChannelList(listing(10_000).replace(b" ", space), LIST)
    assert len(found.body) > SMALL
    assert found.find(("s9000", "s1"))
    assert not found.is_read
    assert [found.said(channel).word for channel in ("s1", "s9000")] == ["connected"] * 2


def test_what_is_found_while_the_list_is_being_read_is_forgotten_when_it_has_been() -> None:
    found = ChannelList(listing(3), LIST)
    steps = found.steps()
    next(steps)
    assert found.find(("s1",))
    assert found.said("s1").word == "connected"
    assert list(steps) == []
    assert (essence(found), found.find(("s1",))) == (essence(read(listing(3))), False)


def test_the_same_channels_are_looked_for_once() -> None:
    for channel, there in (("s1", True), ("nobody", False)):
        found = ChannelList(listing(3), LIST)
        assert found.find((channel,)) is there
        with mock.patch.object(NamedElements, "find", side_effect=AssertionError):
            assert found.find((channel,)) is there


def test_the_id_in_the_path_names_a_single_channel_without_one() -> None:
    assert list(read(b'{"channel":{"status":1}}', "sales").ids.exact) == ["sales"]
    assert list(read(b'{"channel":{"id":"x"}}', "sales").ids.exact) == ["x"]
    assert list(read(b"[{},{}]", "sales").ids.exact) == []


def test_of_a_long_list_only_what_is_asked_for_is_located_and_read() -> None:
    with everything_is_long(piece=30):
        found = read(listing(3))
        for _ in found.read_objects(["s0", "s2", "s2"], found.rule.object_reader):
            pass
        with mock.patch.object(list_reader, "found_spans", side_effect=AssertionError):
            assert [found.said(channel).word for channel in ("s0", "s2")] == ["connected"] * 2
            with pytest.raises(AssertionError):
                found.said("s1")


def steps_of(reading: Generator[None, None, None]) -> int:
    return sum(1 for _ in reading)


def test_objects_are_read_some_at_a_time_and_once() -> None:
    found = read(listing(3_000))
    reader = found.rule.object_reader
    names = [f"s{number}" for number in range(3_000)]
    assert 3_000 * 64 // (16 * 1024) <= steps_of(found.read_objects(names, reader)) <= 3_000 // 32
    with mock.patch.object(type(reader), "read", side_effect=AssertionError):
        assert steps_of(found.read_objects(names, reader)) == 0
        assert {found.said(name).word for name in names} == {"connected"}


def test_of_larger_objects_fewer_are_read_at_a_time() -> None:
    found = read(listing(100, about="x" * 4_000))
    names = [f"s{number}" for number in range(100)]
    assert steps_of(found.read_objects(names, found.rule.object_reader)) >= 100 * 4_000 // (16 * 1024)


def test_one_long_object_is_read_some_at_a_time() -> None:
    body = b'[{"id":"s0",%b"status":"connected"},{"id":"s1"}]' % (b'"about":"x",' * 10_000)
    found = read(body)
    assert found.said("s1").word is None
    assert steps_of(found.read_objects(["s0"], found.rule.object_reader)) >= len(body) // (8 * 1024)
    assert found.objects("s0") == read(body).objects("s0")


def test_the_channels_of_a_list_in_an_uneven_layout_are_located_some_at_a_time() -> None:
    found = read(b"[%b]" % b",".join(b'{"id":"s%d"}%b' % (number, b" " * (number % 2)) for number in range(4_000)))
    assert steps_of(found.read_objects(["s0"], found.rule.object_reader)) >= 4_000 // 512


@pytest.mark.parametrize("piece", [1, 50, 100])
def test_the_objects_of_an_id_listed_often_are_read_in_order_wherever_the_list_is_cut(piece: int) -> None:
    ids = ["a" if number % 4 else "b" for number in range(16)]
    body = json.dumps([{"id": one, "status": f"w{number}"} for number, one in enumerate(ids)]).encode()
    at_once = read(body)
    with everything_is_long(piece):
        found = read(body)
        for _ in found.read_objects("ab", found.rule.object_reader):
            pass
    assert [found.objects(one) for one in "ab"] == [at_once.objects(one) for one in "ab"]


def test_a_channel_with_much_in_it_takes_long_until_it_has_been_read() -> None:
    found = read(b'[{"id":"s0",%b"z":1},{"id":"s1"}]' % (b'"about":"x",' * 1_000))
    assert [found.take_long(some) for some in (["s0"], ["s1"], ["s1", "s0"], [])] == [True, False, True, False]
    found.said("s0")
    assert found.take_long(["s0", "s1"]) is False


def test_an_id_that_is_listed_thousands_of_times_is_read_some_at_a_time() -> None:
    found = read(b"[%b]" % b",".join([b'{"id":"s0","status":"connected"}'] * 5_000))
    assert found.take_long(["s0"])
    assert steps_of(found.read_objects(["s0"], found.rule.object_reader)) >= 20
    assert not found.take_long(["s0"])
    assert len(found.edits("s0", None)) == 5_000


def test_places_are_numbered_some_at_a_time_and_once() -> None:
    found = read(b"[%b]" % b",".join(b'{"id":"s%d"}' % number for number in range(40_000)))
    assert steps_of(found.number(1)) == 3
    assert steps_of(found.number(1)) == 0
    assert [found.place(f"s{number}") for number in (0, 20_000, 39_999)] == [0, 20_000, 39_999]


def test_in_a_shorter_list_a_few_are_looked_for_without_numbering_all() -> None:
    found = read(b"[%b]" % b",".join(b'{"id":"s%d"}' % number for number in range(9_000)))
    assert steps_of(found.number(FEW)) == 0
    assert steps_of(found.number(FEW + 1)) == 1


@pytest.mark.parametrize(("asked", "steps"), [(FEW, 1), (FEW + 1, 0)])
def test_places_are_numbered_when_more_than_a_few_have_been_asked_for(asked: int, steps: int) -> None:
    found = read(listing(100))
    assert [found.place(f"s{number}") for number in range(asked)] == list(range(asked))
    assert steps_of(found.number(100)) == steps
    assert [found.place(f"s{number}") for number in range(100)] == list(range(100))


def test_a_list_with_one_id_very_often_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_list, "_MOST_REPEATED", 3)
    assert read(b'[{"id":"a"},{},{"id":"a"},{},{"id":"a"},{"id":"a"}]').failure is None
    assert read(b'[{"id":"a"},{},{"id":"a"},{},{"id":"a"},{"id":"a"},{"id":"a"}]').failure == "too-large"


def test_what_is_edited_by_an_events_word_is_read_in_steps_too() -> None:
    rule = replace(LIST, set={"status": ByWord({"qr": "waiting", "*": "off"})})
    body = b'[{"id":"s0",%b"z":1}]' % (b'"status":"connected",' * 2_000)
    at_once, found = read(body, rule=rule), read(body, rule=rule)
    reader = rule.reader_for("qr")
    assert steps_of(found.read_objects(["s0"], reader)) > 2
    with mock.patch.object(type(reader), "read", side_effect=AssertionError):
        edits = found.edits("s0", "qr")
    assert edits == at_once.edits("s0", "qr")
    assert {value for *_, value in edits} == {b'"waiting"'}


def test_the_word_of_keep_beside_one_that_reads_connected_is_found() -> None:
    rule = replace(LIST, set={"a.b": False, "status": "off"}, keep=frozenset({"false", "Off"}))
    body = (
        b'[{"id":"1","a":{"b":false},"status":"connected"},{"id":"2","a":{"b":true},"status":"OFF"},'
        b'{"id":"3","a":{"b":true},"status":"connected"},{"id":"4","a":[]},{"id":"4","status":"off"}]'
    )
    found = ChannelList(body, rule)
    found.read()
    assert [found.kept_word(channel) for channel in "1234"] == ["a.b: false", "OFF", None, "off"]
