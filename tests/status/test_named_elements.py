"""Finding a few channels by their ids: what is found is what reading every channel finds, and in doubt nothing is."""

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import cast
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import named_elements
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.fields import Path, parse_path
from statusproxy.status.json_spans import Span
from statusproxy.status.named_elements import MOST, NamedElements
from statusproxy.status.steps import at_once
from tests.status.counting import counted
from tests.status.test_channels import IDS, LIST, documents

LISTS = LIST.list


def spans(
    body: bytes, names: Sequence[str], *, lists: tuple[Path, ...] = LISTS, piece: int | None = None
) -> Mapping[str, Sequence[Span]] | None:
    """Where the channels stand; with `piece`, as found in a document that is cut into pieces of about so many bytes."""
    elements = NamedElements(lists, IDS)
    if piece is None:
        found = elements.find(body, tuple(names))
        assert at_once(elements.find_in_steps(body, tuple(names))) == found
        return found
    with mock.patch.multiple(named_elements, SMALL=0, _PIECE=piece):
        return at_once(elements.find_in_steps(body, tuple(names)))


def find(
    body: bytes | str, *names: str, lists: tuple[Path, ...] = LISTS, piece: int | None = None
) -> Mapping[str, Sequence[str]] | None:
    """What stands where the channels were found."""
    body = body if isinstance(body, bytes) else body.encode()
    found = spans(body, names, lists=lists, piece=piece)
    if found is None:
        return None
    return {name: [body[start:end].decode() for start, end in places] for name, places in found.items()}


SALES = '{"id":"sales","status":"connected"}'


@pytest.mark.parametrize(
    "body",
    [
        "[%s]",
        '[{"id":"a"},%s]',
        '[1,"x",null,[2],{"id":"a","tags":[{"id":"x"}]},%s,{"id":"b"}]',
        '{"success":true,"channels":[{"id":"a"},%s,{"id":"b"}],"total":2}',
        '{"data":{"channels":[%s]},"total":1}',
        '{"data":[%s],"channels":{"id":"sales"}}',
        '{"channels":null,"data":{"channels":7},"data":[%s]}',
        '{ "channels" : [ {"id":"a"} , %s , {"id":"b"} ] } ',
        '[{"id":"a","text":"a\\nb"},%s]',
        '[{"id":"a","text":"\\u00e9"},%s]',
        '{"channels":[%s],"warnings":[],"a":"sales","b":"sales"}',
        '{"warnings":["sales"],"channels":[%s]}',
        '{"about":"[[[[]]]]","channels":[%s],"more":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]"}',
        '[{"id":"a","name":"sales"},%s]',
        '[%s,{"id":"a","name":"sales"}]',
        '{"channels":[{"id":"old"}],"channels":[%s]}',
    ],
)
def test_a_channel_is_found_wherever_the_list_stands(body: str) -> None:
    assert find(body.replace("%s", SALES), "sales") == {"sales": [SALES]}


@pytest.mark.parametrize(
    "written",
    [
        '{"id":"sales"}',
        '{"name":"sales","id":" "}',
        '{"profile":{"name":"x"},"tags":["a","b"],"id":"sales"}',
        '{"profile": {"about": "x"}, "id" : "sales", "list": [{"a":1},{"a":2}]}',
        '{"id":"sales","list":[{"a":1},{"a":2}]}',
        '{"about":{ "name":"sales"},"id":"sales"}',
        '{"id":"sales","text":"},{"}',
        '{"id":"sales","n":1.5e3,"é":"ü"}',
    ],
)
@pytest.mark.parametrize("around", ["[%s]", "[%s,1]", '[{"id":"a"},%s,{"id":"b"}]', '{"channels":[ %s ]}'])
def test_a_channel_is_found_whatever_its_form(written: str, around: str) -> None:
    assert find(around % written, "sales") == {"sales": [written]}


def test_several_are_found_and_all_of_one_id() -> None:
    one, other, third = '{"id":"a","n":1}', '{"id":"b"}', '{"name":"a","n":2}'
    assert find(f"[{one},{other},{{}},{third}]", "b", "a") == {"b": [other], "a": [one, third]}


@pytest.mark.parametrize(
    "body",
    [
        "not json, sales",
        'not json: "sales"',
        '[{"id":"sales"}',
        '[{"id":"sales"}],',
        '{"channels":[{"id":"sales"}]',
        '{"channels":[{"id":"Sales"}]}',
        '{"channels":[{"id":"a","about":"sales"}]}',
        '{"channels":[{"id":"a"}],"id":"sales"}',
        '{"channels":["sales"]}',
        '{"channels":[{"id":"a"},"sales"]}',
        '{"channels":[[{"id":"sales"}]]}',
        '{"channels":[{"a":[{"id":"sales"}]}]}',
        '{"channels":[{"a": {"b": {"c": {"d": {"id":"sales"}}}},"id":"sales"}]}',
        "[" + '{"a":' * 20 + '"sales"' + "}" * 20 + "]",
        '{"channel":[{"id":"sales"}]}',
        '{"channels":{"id":"sales"}}',
        '{"channels":"[]","id":"sales"}',
        '{"data":{"channel":[{"id":"sales"}]}}',
        '{"data":"sales"}',
        '"sales"',
        ' [{"id":"sales"}]',
        '\ufeff[{"id":"sales"}]',
        '[{"\\u0069d":"sales"}]',
        '[{"id":"sales","n":1e400}]',
        '[{"id":"sales","t":"\\ud800"}]',
        '[{"id":"sales"},{"id":"\\u0073ales"}]',
        '[{"id":"sales","t":"\\u0041"}]',
        '{"channels":[{"id":"sales"}],"other":[{"id":"sales"}],"channels":[{"id":"sales"}]}',
        '{"about":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[","channels":[{"id":"sales"}]}',
        "[" + ",".join(['{"id":"sales"}'] * 33) + "]",
        "[" * 3000 + '{"id":"sales"}' + "]" * 3000,
        '[{"id":"sales","t":"' + "x" * 70_000 + '"}, {"id":"a"},{"id":"b","t":[{},{}]}]',
    ],
)
def test_in_doubt_nothing_is_found(body: str) -> None:
    assert find(body, "sales") is None


def test_bytes_that_are_not_utf8_in_a_channel_are_left_to_the_thorough_reader() -> None:
    assert find(b'[{"id":"sales","t":"\xff"}]', "sales") is None
    assert find(b'[{"id":"a","t":"\xff"},{"id":"sales"}]', "sales") == {"sales": ['{"id":"sales"}']}


@pytest.mark.parametrize("name", ["5", "-1.5", "1e+21", "a/b", 'a"b', "a\\b", "a\tb", "a\n", "é", "\ud800", "", "\x7f"])
def test_an_id_that_may_be_written_otherwise_is_not_looked_for(name: str) -> None:
    body = json.dumps([{"id": name}]).encode()
    assert spans(body, [name]) is None


@pytest.mark.parametrize("name", ["5a", "sales 2", "+55 (11) 9", "e-a", "A.B", "~[x]", "b9c1-44e0"])
def test_most_ids_are_looked_for(name: str) -> None:
    assert find(json.dumps([{"id": name}]), name) is not None


def test_each_of_them_must_be_there_and_there_must_be_few() -> None:
    names = [f"s{number}" for number in range(MOST + 1)]
    body = json.dumps([{"id": name} for name in names])
    assert find(body) is None
    assert find(body, *names) is None
    assert find(body, *names[1:]) is not None
    assert find(body, "s1", "nobody") is None
    assert find(body, "s1", "s2") is not None


OTHERS = ",".join(f'{{"id":"a{number}","tags":[{{"n":1}},{{"n":2}}]}}' for number in range(9))


@pytest.mark.parametrize("around", ["[%s]", '{"a":{"b":[1]},"channels":[%s],"total":9}', '{"data":{"channels":[%s]}}'])
@pytest.mark.parametrize("listed", ["{0},{1}", "{1},{0}", "{1},{0},{1}", "{1},{0},{0},{1},{0}"])
def test_in_a_long_document_a_channel_is_found_among_the_pieces(around: str, listed: str) -> None:
    body = around % listed.format(SALES, OTHERS)
    assert find(body, "sales", piece=60) == {"sales": [SALES] * listed.count("{0}")}


@pytest.mark.parametrize(
    "body",
    [
        "[{0},{1},{2}]",  # 2: what is not JSON, in the middle
        '[{0},{1},{"a":1,},{1}]',
        "[{1},{0},{1}",
        '{"channels":[{"id":"sales","list":[{1}]}]}',
        '{"channels":[{0}],"others":[{1}]}',
        '{"others":[{1}],"channels":[{0}]}',
        '{"others":[{1}],"total":1}',
        '{"channels":{"list":[{1},{0}]}}',
        '[{0},{"t":"{3}"},{1}]',  # 3: a long text
        '[{1},{"id":"a","t":"},{\\"id\\":"},{1}]',
        '[{0},{1},{1},{"id":"\\u0073ales"}]',
        '{"a":"%s","data":[{1},{0},{1}]}' % ("[" * 33),
        '[{1},{"id":"a","list":[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5},{"id":6},{"id":7},{"id":8}]},{1}]',
    ],
)
def test_in_doubt_nothing_is_found_in_a_long_document(body: str) -> None:
    for number, text in enumerate((SALES, OTHERS, '{"id":"a"},{"id":"b"]},{"id":"c"}', "x" * 200)):
        body = body.replace(f"{{{number}}}", text)
    assert find(body, "sales", piece=60) is None


def test_a_space_may_stand_between_the_elements_of_a_long_list() -> None:
    body = json.dumps(json.loads(f"[{OTHERS},{SALES},{OTHERS}]"))
    assert find(body, "sales", piece=60) == {"sales": [json.dumps(json.loads(SALES))]}


def test_a_long_document_names_each_of_them_and_not_too_often() -> None:
    body = f"[{OTHERS},{SALES},{OTHERS}]"
    assert find(body, "sales", "nobody", piece=60) is None
    assert find(body, "5", piece=60) is None
    assert find(body, "sales", "a0", piece=60) is not None
    assert find(f"[{','.join([SALES] * 33)}]", "sales", piece=60) is None
    assert find(f'[{",".join([SALES] * 33)},{{"t":"\\u0041"}}]', "sales", piece=2000) is None


def test_a_long_document_is_searched_and_read_step_by_step() -> None:
    body = json.dumps([{"id": f"s{number}", "about": "x" * 400} for number in range(2_000)], separators=(",", ":"))
    elements = NamedElements(LISTS, IDS)
    assert elements.find(body.encode(), ("s1500",)) is None
    assert sum(1 for _ in elements.find_in_steps(body.encode(), ("s1500",))) >= 2 * len(body) // (256 * 1024)
    found = at_once(elements.find_in_steps(body.encode(), ("s1500",)))
    assert found is not None
    assert [json.loads(body[start:end])["id"] for start, end in found["s1500"]] == ["s1500"]


def test_each_place_of_an_id_is_looked_at_in_a_step_of_its_own() -> None:
    padding = ",".join(f'{{"id":"p{number}","about":"{"x" * 1_000}"}}' for number in range(600))

    def steps(times: int) -> int:
        body = f'[{padding},{{"id":"p","other":"sales"}},{",".join([SALES] * times)},{padding}]'
        return sum(1 for _ in NamedElements(((),), (("id",),)).find_in_steps(body.encode(), ("sales",)))

    assert steps(11) == steps(1) + 10


def test_without_a_path_to_an_id_no_channel_is_found() -> None:
    assert NamedElements(LISTS, ()).find(b'[{"id":"sales"}]', ("sales",)) is None


def test_where_only_members_hold_lists_the_document_is_none() -> None:
    assert find(f"[{SALES}]", "sales", lists=(("channels",),)) is None
    assert find(f"[{SALES}]", "sales", lists=((),)) == {"sales": [SALES]}
    assert find(f'{{"channels":[{SALES}]}}', "sales", lists=((),)) is None


def test_what_is_remembered_of_objects_is_bounded() -> None:
    elements = NamedElements(LISTS, IDS)
    for number in range(200):
        written = f'{{"id":"sales","n":{number}}}'
        body = f"[1,{written}]".encode()
        for _ in range(2):
            assert elements.find(body, ("sales",)) == {"sales": [(3, 3 + len(written))]}
    large = b'[{"id":"sales","t":"' + b"x" * 3000 + b'"}]'
    assert elements.find(large, ("sales",)) == {"sales": [(1, len(large) - 1)]}


def read(body: bytes, names: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """Where the channels with these ids stand, by reading every channel."""
    answer = ChannelList(body, LIST)
    answer.read()
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    for channel, span in answer.entries():
        if channel in found:
            found[channel].append(span)
    return found


pieces = st.lists(
    st.sampled_from([
        '{"id":"sales"}', '{"name":"sales","x":[{"id":"a"},{"id":"sales"}]}', '{"id":"a"}', '{ "id" : "Support" }',
        '{"x":{"id":"sales"}}', '{"x":{ "y":{ "id":"sales"}}}', '"sales"', '["sales"]', "7", "{}", "[]", "[[]]",
        '{"id":"\\u0073ales"}', '{"t":"\\n","id":"sales"}', '{"t":"},{","id":"sales"}', '{"id":"sales","id":"b"}',
        '{"id":7,"name":"sales"}', '{"id":null,"session":"sales"}', '{"id":"sales","n":1e400}',
    ])
)  # fmt: skip
layouts = st.tuples(
    st.sampled_from([
        "[%s]", '{"channels":[%s]}', '{"a":[],"channels": [%s ],"b":["sales"]}', '{"data":{"channels":[%s]}}',
        '{"channels":[%s],"channels":[%s]}', '{"x":[%s],"data":[%s]}', "[[%s],%s]", '{"channels":[%s],"data":[1]}',
    ]),
    pieces,
    st.sampled_from([",", ", ", " ,\n"]),
).map(lambda parts: parts[0].replace("%s", parts[2].join(parts[1])).encode())  # fmt: skip


cutting = st.sampled_from([None, 1, 10, 30])


@given(documents | layouts, st.sampled_from([["sales"], ["sales", "Support"], ["Support", "a"]]), cutting)
def test_what_is_found_is_what_reading_every_channel_finds(body: bytes, names: list[str], piece: int | None) -> None:
    found = spans(body, names, piece=piece)
    if found is not None:
        assert found == read(body, names)


@given(layouts, st.binary(max_size=3), st.integers(0, 200), st.integers(0, 3), cutting)
def test_what_is_no_json_has_no_channels(body: bytes, more: bytes, at: int, less: int, piece: int | None) -> None:
    body = body[:at] + more + body[at + less :]
    found = spans(body, ["sales"], piece=piece)
    if found is not None:
        assert found == read(body, ["sales"])


def test_paths_may_lead_through_several_objects() -> None:
    lists = tuple(map(parse_path, ("a.b.c", "a.b", "a.x")))
    assert find('{"a":{"b":{"c":[%s]}}}'.replace("%s", SALES), "sales", lists=lists) == {"sales": [SALES]}
    assert find('{"a":{"b":[%s]}}'.replace("%s", SALES), "sales", lists=lists) == {"sales": [SALES]}
    assert find('{"a":{"b":1,"x":[%s]}}'.replace("%s", SALES), "sales", lists=lists) == {"sales": [SALES]}
    assert find('{"a":[%s]}'.replace("%s", SALES), "sales", lists=lists) is None


def test_others_may_look_for_other_channels_between_two_steps() -> None:
    """One reader serves all answers of a rule, and the sessions that are lost change at any moment."""
    body = f"[{OTHERS},{SALES},{OTHERS},{SALES},{OTHERS}]".encode()
    elements = NamedElements(LISTS, IDS)

    def disturbed() -> Generator[None, None, Mapping[str, Sequence[Span]] | None]:
        steps = elements.find_in_steps(body, ("sales",))
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return cast(Mapping[str, Sequence[Span]] | None, stop.value)
            at_once(elements.find_in_steps(body, ("a0", "nobody")))
            yield

    with mock.patch.multiple(named_elements, SMALL=0, _PIECE=60):
        found = at_once(elements.find_in_steps(body, ("sales",)))
        assert found is not None
        assert len(found["sales"]) == 2
        assert at_once(disturbed()) == found


@pytest.mark.parametrize(
    "written",
    [
        '{"id":"a%d","n":1}',
        '{"n":%d,"id":"a%d"}',
        '{"' + "x" * 70 + '":1,"id":"a%d"}',
        '{"id":"a%d","profile":{"n":{"x":1}},"n":1}',
    ],
    ids=["ids", "numbers", "a long name", "objects within"],
)
@pytest.mark.parametrize("piece", [110, 160, 250])
def test_a_channel_is_found_in_whichever_piece_of_a_long_list_it_stands(written: str, piece: int) -> None:
    listed = [written.replace("%d", str(number)) for number in range(60)]
    for number, channel in enumerate(listed):
        assert find(f"[{','.join(listed)}]", f"a{number}", piece=piece) == {f"a{number}": [channel]}


def test_a_document_that_is_cut_once_is_searched_too() -> None:
    body = f"[{OTHERS},{SALES}]"
    assert find(body, "sales", piece=len(body) * 2 // 3) == {"sales": [SALES]}


def test_the_search_of_a_piece_and_the_look_at_it_are_steps_of_their_own() -> None:
    body = json.dumps([{"id": f"s{number}", "about": "x" * 400} for number in range(4_000)], separators=(",", ":"))

    def steps(name: str) -> int:
        return counted(NamedElements(LISTS, IDS).find_in_steps(body.encode(), (name,)))[1]

    searched = steps("nobody")
    assert searched >= len(body) // (256 * 1024)
    assert steps("s3000") >= 2 * searched


def test_objects_that_are_the_same_in_the_next_answer_are_not_decoded_again_while_few_others_were() -> None:
    support = '{"id":"Support","n":1}'
    elements = NamedElements(LISTS, IDS)

    def decoded(body: str, *names: str) -> int:
        with mock.patch.object(named_elements, "_quick", wraps=msgspec.json.decode) as quick:
            assert elements.find(body.encode(), names) is not None
            return quick.call_count

    first, second = f'[{SALES},{{"id":"a"}},{support}]', f'[{{"id":"b","t":"{"x" * 70_000}"}},{SALES},{support}]'
    assert [decoded(body, "sales", "Support") for body in (first, second)] == [2, 0]
    for number in range(200):
        decoded(f'[{{"id":"other","n":{number}}}]', "other")
    assert decoded(second, "sales", "Support") == 2
