"""Configuration that can have no effect is refused, with the line, the key and the fix."""

import pytest

from statusproxy.config.addresses import parse_address, parse_gateway
from statusproxy.config.effect import (
    check_body,
    check_field_path,
    check_member,
    check_named_field,
    check_set_name,
    check_set_value,
    check_set_word,
    check_word,
    leads_back,
    never_reached,
)


@pytest.mark.parametrize("path", ["0", "a.1.b", "a[0].b", "a[].b", "a[*]", "*", "a.*.b"])
def test_a_path_into_an_array_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="a path cannot lead into an array"):
        check_field_path(path)


@pytest.mark.parametrize("path", ["", "a", "a.b", "a1.2b", "a-b.$c", "a[b]", "ação"])
def test_a_path_through_objects_is_kept(path: str) -> None:
    assert check_field_path(path) == path


@pytest.mark.parametrize(
    "value",
    [
        "$x",
        "${x}",
        "${x:-y}",
        "$X_1",
        "{status}",
        "{{ word }}",
        "{}",
        "%s",
        "%(word)s",
        "%WORD%",
        "<event>",
        " {status} ",
        "{a}{b}",
        "x{status}",
        "#{status}",
        "a ${b}",
        "a {b}",
        "%1$s",
        "\t%s",
    ],
)
def test_a_value_that_looks_like_a_variable_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="it is not a variable"):
        check_set_value(value)


@pytest.mark.parametrize(
    "value",
    ["$", "$5", "a$b", "100%", "%", "{1}%", "a {b c}", "__STATUS__", "@status@", "<", "{", "<3", "", None, True, 1],
)
def test_a_value_that_only_holds_a_dollar_is_kept(value: object) -> None:
    check_set_value(value)


@pytest.mark.parametrize("name", ["", " ", "a.b", "."])
def test_a_member_that_is_looked_for_in_each_place_is_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="allowed: the name of a field without dots"):
        check_member(name)
    assert check_member("chatId") == "chatId"


def test_a_word_without_a_star_is_kept() -> None:
    assert check_word("connection.update") == "connection.update"


def test_the_first_route_that_takes_all_requests_of_a_later_one_is_named() -> None:
    get, both = frozenset({"GET"}), frozenset({"GET", "HEAD"})
    routes = [
        (get, "/a"),
        (both, "/a"),
        (get, "/A/"),
        (both, "/{session}/b"),
        (get, "/x/B"),
        (get, "/x%2Fb/b"),
        (get, "/x/c"),
    ]
    assert list(never_reached(routes)) == [(2, 0), (4, 3), (5, 3)]


@pytest.mark.parametrize(
    ("gateway", "listen", "back"),
    [
        ("http://127.0.0.1:3000", ":3000", True),
        ("http://127.0.0.1:3000", "0.0.0.0:3000", True),
        ("http://127.0.0.1:3000", "127.0.0.1:3000", True),
        ("http://[::1]:3000", "[::]:3000", True),
        ("http://localhost:3000", ":3000", True),
        ("http://gw.example", "gw.example:80", True),
        ("unix:/run/gw.sock", "unix:/run/gw.sock", True),
        ("http://127.0.0.1:3000", ":3001", False),
        ("http://127.0.0.1:3000", "127.0.0.2:3000", False),
        ("http://[::1]:3000", "0.0.0.0:3000", False),
        ("http://localhost:3000", "0.0.0.0:3000", True),
        ("http://localhost:3000", "127.0.0.1:3000", True),
        ("http://LOCALHOST:3000", "[::1]:3000", True),
        ("http://localhost:3000", "[::]:3000", True),
        ("http://127.0.0.1:3000", "localhost:3000", True),
        ("http://localhost:3000", "localhost:3000", True),
        ("http://localhost:3000", "127.0.0.1:3001", False),
        ("http://localhost:3000", "10.0.0.7:3000", False),
        ("http://gw.example:3000", ":3000", False),
        ("unix:/run/gw.sock", ":80", False),
        ("http://127.0.0.1:80", "unix:/run/x.sock", False),
    ],
)
def test_a_gateway_that_is_this_proxy_itself_is_known(gateway: str, listen: str, back: bool) -> None:
    assert leads_back(parse_gateway(gateway), [parse_address(listen)]) is back


@pytest.mark.parametrize(("path", "end"), [("a..b", "session.id"), (".a", "session.id"), ("$.a", "not with $")])
def test_a_path_has_a_name_between_its_dots_and_begins_with_one(path: str, end: str) -> None:
    with pytest.raises(ValueError, match="allowed: a field, or fields joined by dots") as caught:
        check_field_path(path)
    assert str(caught.value).endswith(end)


def test_a_named_field_is_not_the_document_itself() -> None:
    assert check_named_field("a.b") == "a.b"
    for path in ("", "  "):
        with pytest.raises(ValueError, match="the name of a field"):
            check_named_field(path)


def test_a_word_with_a_star_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a \* has no special meaning here"):
        check_word("connection.*")


@pytest.mark.parametrize("name", ["status", "instance.status", "0", "*"])
def test_what_is_set_may_stand_in_other_objects(name: str) -> None:
    assert check_set_name(name) == name


@pytest.mark.parametrize("name", ["instance.", ".status", "a..b", "items.0.status", "items[0].status", "$.status"])
def test_what_is_set_does_not_stand_in_an_array(name: str) -> None:
    with pytest.raises(ValueError, match="allowed: a field, or fields joined by dots"):
        check_set_name(name)


def test_a_star_alone_stands_for_every_other_word() -> None:
    assert (check_set_word("*"), check_set_word("FAILED")) == ("*", "FAILED")
    with pytest.raises(ValueError, match=r"a \* has no special meaning here"):
        check_set_word("FAIL*")


@pytest.mark.parametrize("text", ["xml", "form", "form:", "form: ", "JSON"])
def test_events_are_packed_as_json_or_in_a_member_of_a_form(text: str) -> None:
    assert (check_body("json"), check_body("form:jsonData")) == ("json", "form:jsonData")
    with pytest.raises(ValueError, match="allowed: json, or form: and the name of the member"):
        check_body(text)
