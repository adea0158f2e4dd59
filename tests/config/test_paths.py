"""Paths and routes: what is read, what is refused and with which fix."""

import pytest

from statusproxy.config.paths import (
    TEMPLATE_ALLOWED,
    check_header_name,
    check_route,
    check_session_route,
    check_template,
    covers,
    fold_path,
)


def test_paths_templates_and_routes_stay_as_they_are_written() -> None:
    assert check_template("/v1/webhooks/receive") == "/v1/webhooks/receive"
    assert check_template("/") == "/"
    assert check_template("/api/{session}/x") == "/api/{session}/x"
    assert check_session_route("DELETE /api/channels/{session}") == "DELETE /api/channels/{session}"


def test_a_route_is_tidied_to_one_space() -> None:
    assert check_route("  POST   /api/channels ") == "POST /api/channels"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("a/b", f'allowed: {TEMPLATE_ALLOWED}; did you mean "/a/b"?'),
        ("//a", f'allowed: {TEMPLATE_ALLOWED}; did you mean "/a"?'),
        (
            "/a?b=c",
            f'allowed: {TEMPLATE_ALLOWED}, without a query; did you mean "/a"?',
        ),
        ("http://h.example/a", f'allowed: {TEMPLATE_ALLOWED}; did you mean "/a"?'),
        ("/a b", f"allowed: {TEMPLATE_ALLOWED}"),
        ("", f"allowed: {TEMPLATE_ALLOWED}"),
        ("?", f"allowed: {TEMPLATE_ALLOWED}, without a query"),
    ],
)
def test_what_is_no_path_is_refused(written: str, message: str) -> None:
    with pytest.raises(ValueError, match="allowed") as caught:
        check_template(written)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("/a/{id}", "allowed: {session} as the only placeholder"),
        ("/a/{session", "allowed: {session} as the only placeholder"),
        ("/a/x{session}", "allowed: {session} as a whole segment between two slashes"),
        ("/{session}/{session}", "allowed: {session} once"),
    ],
)
def test_what_is_no_template_is_refused(written: str, message: str) -> None:
    with pytest.raises(ValueError, match="allowed") as caught:
        check_template(written)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("/api", "such as DELETE /api/channels/{session}"),
        ("GET", "such as DELETE /api/channels/{session}"),
        ("GET api", "such as DELETE /api/channels/{session}"),
        ("G@T /api", "such as DELETE /api/channels/{session}"),
        ("get /api", 'did you mean "GET /api"?'),
        ("GET /api?x=1", 'did you mean "GET /api"?'),
    ],
)
def test_what_is_no_route_is_refused(written: str, end: str) -> None:
    with pytest.raises(ValueError, match="allowed: a method and a path") as caught:
        check_route(written)
    assert str(caught.value).endswith(end)


def test_a_route_about_one_session_has_to_name_it() -> None:
    with pytest.raises(ValueError, match=r"\{session\} has to stand in the path"):
        check_session_route("DELETE /api/channels")


def test_a_headers_name_is_a_token() -> None:
    assert check_header_name("X-Signature") == "X-Signature"
    for written in ("", "X Y", "X:", "ç"):
        with pytest.raises(ValueError, match="allowed: a header's name"):
            check_header_name(written)


def test_paths_fold_as_express_compares_them() -> None:
    assert fold_path("/API/%63hannels/") == fold_path("/api/channels")
    assert fold_path("/") == "/"
    assert fold_path("/a") != fold_path("/a/b")


@pytest.mark.parametrize(
    ("template", "path", "covered"),
    [
        ("/a", "/A/", True),
        ("/{session}/b", "/x/B", True),
        ("/{session}/b", "/{session}/b", True),
        ("/a/b", "/{session}/b", False),
        ("/a", "/a/b", False),
    ],
)
def test_a_template_covers_a_path_whose_every_request_it_takes(template: str, path: str, covered: bool) -> None:
    assert covers(template, path) is covered


@pytest.mark.parametrize(
    ("written", "end"),
    [("/a/*", "(a * in the path itself: %2A)"), ("/a/:id", "a placeholder is written {session}")],
)
def test_other_ways_to_write_a_placeholder_are_refused(written: str, end: str) -> None:
    with pytest.raises(ValueError, match="allowed: ") as caught:
        check_template(written)
    assert str(caught.value).endswith(end)
