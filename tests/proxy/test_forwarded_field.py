"""The `Forwarded` field: whose address each element names, and when nothing can be said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.forwarded_field import MOST_ELEMENTS, MOST_PARTS, forwarded_for
from tests.processor_time import takes_less


@pytest.mark.parametrize(
    ("line", "nodes"),
    [
        (b"for=192.0.2.43", [b"192.0.2.43"]),
        (b"For=192.0.2.43, for=198.51.100.17", [b"192.0.2.43", b"198.51.100.17"]),
        (b'for="[2001:db8:cafe::17]:4711"', [b"[2001:db8:cafe::17]:4711"]),
        (b"for=192.0.2.60;proto=http;by=203.0.113.43", [b"192.0.2.60"]),
        (b"by=203.0.113.43; for=192.0.2.60; proto=https", [b"192.0.2.60"]),
        (b'proto=http;host="a;for=10.0.0.1";for=203.0.113.5', [b"203.0.113.5"]),
        (b'host="a, for=10.0.0.1", for=203.0.113.5', [b"203.0.113.5"]),
        (b'host="a\\"; for=10.0.0.1";for=203.0.113.5', [b"203.0.113.5"]),
        (b'for="_gazonk"', [b"_gazonk"]),
        (b'for="1\\92.0.2.43"', [b"192.0.2.43"]),
        (b"for=unknown", [b"unknown"]),
        (b"for=192.0.2.1:8080", [b"192.0.2.1:8080"]),
        (b"for=[2001:db8::1]", [b"[2001:db8::1]"]),
        (b'for=""', [b""]),
        (b"proto=https", []),
        (b"xfor=192.0.2.1;for2=192.0.2.2", []),
        (b"", []),
        (b" , ,for=192.0.2.43,, ", [b"192.0.2.43"]),
        (b";for=192.0.2.43;", [b"192.0.2.43"]),
    ],
)
def test_the_nodes_of_a_well_formed_field_are_read(line: bytes, nodes: list[bytes]) -> None:
    assert forwarded_for([line]) == nodes


@pytest.mark.parametrize(
    "line",
    [
        b"for",
        b"for=",
        b"=x",
        b"for=a b",
        b'for="192.0.2.43',
        b'for=192.0.2.43"',
        b'for="a"b',
        b'for="a\\"',
        b"for=a for=b",
        b"for=a;for=b",
        b"for=a;FOR=b",
        b"for=<a>",
        b"f(r=a",
        b"for=a/b",
        b'for="a\x00"',
        b"for=a\x00",
    ],
)
def test_a_field_that_breaks_the_grammar_says_nothing(line: bytes) -> None:
    assert forwarded_for([line]) is None
    assert forwarded_for([b"for=192.0.2.43", line]) is None
    assert forwarded_for([line, b"for=192.0.2.43"]) is None


def test_a_quoted_string_does_not_reach_into_the_next_line() -> None:
    assert forwarded_for([b'host="a', b'b";for=192.0.2.43']) is None


def test_lines_follow_one_another() -> None:
    assert forwarded_for([b"for=192.0.2.1", b"for=192.0.2.2, for=192.0.2.3"]) == [
        b"192.0.2.1",
        b"192.0.2.2",
        b"192.0.2.3",
    ]


def test_more_elements_than_there_can_be_proxies_say_nothing() -> None:
    assert len(forwarded_for([b",".join([b"for=a"] * MOST_ELEMENTS)]) or []) == MOST_ELEMENTS
    assert forwarded_for([b",".join([b"for=a"] * (MOST_ELEMENTS + 1))]) is None
    assert forwarded_for([b",".join([b"proto=http"] * (MOST_ELEMENTS + 1))]) is None


quotable = st.binary(max_size=12).map(lambda data: bytes(b for b in data if b >= 0x20 and b != 0x7F))


@given(st.lists(st.tuples(st.sampled_from([b"for", b"host", b"by"]), quotable), max_size=6))
def test_whatever_stands_in_quotes_is_one_value(pairs: list[tuple[bytes, bytes]]) -> None:
    line = b", ".join(
        name + b'="' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' for name, value in pairs
    )
    assert forwarded_for([line]) == [value for name, value in pairs if name == b"for"]


@pytest.mark.parametrize(
    "unit", [b'"', b"\\", b",", b";", b" ", b"a", b"for=", b'for="', b'a="\\', b"for=1,", b'a="b",', b"a=b;", b"\t,"]
)
def test_the_time_grows_with_the_length_and_no_faster(unit: bytes) -> None:
    def reading(count: int) -> None:
        line, other = b'for="' + unit * count, unit * count
        for _ in range(10):
            forwarded_for([line])
            forwarded_for([other])

    assert takes_less(lambda: reading(16_000), 40, lambda: reading(1_000))


def test_a_quoted_value_has_at_most_so_many_escapes_and_runs_between_them() -> None:
    assert forwarded_for([b'for="' + b"\\a" * MOST_PARTS + b'"']) == [b"a" * MOST_PARTS]
    assert forwarded_for([b'for="' + b"\\a" * MOST_PARTS + b'b"']) is None
    assert forwarded_for([b'for=a;ext="' + b"b\\a" * (MOST_PARTS // 2 + 1) + b'"']) is None


def test_each_of_the_most_elements_may_have_four_pairs_and_not_one_separator_more() -> None:
    line = b",".join([b"for=a;proto=b;by=c;host=d"] * MOST_ELEMENTS)
    assert forwarded_for([line]) == [b"a"] * MOST_ELEMENTS
    assert forwarded_for([line + b";"]) is None
