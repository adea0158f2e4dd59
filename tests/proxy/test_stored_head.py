"""A head as bytes: every byte stays except for what is changed."""

import pytest

from statusproxy.proxy.stored_head import (
    field_names,
    method_of,
    with_base,
    with_fields,
    with_host,
    with_target,
    without,
)

pytestmark = pytest.mark.divisible

HEAD = b"POST /a:b?c=d HTTP/1.1\r\nhOST: old.example\r\nX-A:  1\r\nx-a: 2\r\nExpect: 100-continue\r\n"


def test_the_method_and_the_names_of_the_fields_are_read() -> None:
    assert method_of(HEAD) == "POST"
    assert field_names(HEAD) == {b"host", b"x-a", b"expect"}


def test_a_field_is_left_out_in_all_its_lines() -> None:
    assert without(HEAD, b"x-a") == b"POST /a:b?c=d HTTP/1.1\r\nhOST: old.example\r\nExpect: 100-continue\r\n"
    assert without(HEAD, b"x-b") == HEAD
    assert without(HEAD, b"post /a") == HEAD, "the request line is no field"


def test_the_host_is_replaced() -> None:
    assert with_host(HEAD, b"new.example:81") == HEAD.replace(b"hOST: old.example", b"hOST: new.example:81")
    assert with_host(HEAD, b"old.example") == HEAD


def test_the_target_is_replaced() -> None:
    assert with_target(HEAD, b"/x") == HEAD.replace(b"/a:b?c=d", b"/x")


@pytest.mark.parametrize(
    ("target", "before", "base", "expected"),
    [
        (b"/a/b?c=/a", b"", b"/new", b"/new/a/b?c=/a"),
        (b"/a/b?c=/a", b"/a", b"", b"/b?c=/a"),
        (b"/a/b?c=/a", b"/a", b"/a/new", b"/a/new/b?c=/a"),
        (b"/a/b?c=/a", b"/a", b"/a", b"/a/b?c=/a"),
        (b"/ab", b"/a", b"/new", b"/ab"),
        (b"*", b"", b"/new", b"*"),
    ],
)
def test_a_target_goes_below_another_base_path(target: bytes, before: bytes, base: bytes, expected: bytes) -> None:
    assert with_base(with_target(HEAD, target), before, base) == with_target(HEAD, expected)


def test_fields_are_added_at_the_end() -> None:
    assert with_fields(HEAD, [(b"A", b"1"), (b"B", b"2")]) == HEAD + b"A: 1\r\nB: 2\r\n"
