"""Paths and routes: what is read, what is refused and with which fix."""

import pytest

from statusproxy.config.paths import (
    TEMPLATE_ALLOWED,
    check_header_name,
    check_route,
    check_session_route,
    check_template,
    check_webhook_path,
    covers,
    fold_path,
)

ONLY = "{session}, and {_} for a secret, as the only placeholders"
WHOLE = "{session} as a whole segment between two slashes; or cut from a secret, as in {session}:{_}"


@pytest.mark.parametrize(
    "path", ["/a/{session}:{_}/b", "/{_}-key-{session}", "/api/{_}/show-all", "/{_}/{session}:{_}", "/x/{_}/{_}"]
)
def test_a_segment_may_be_a_secret_or_be_cut_from_one(path: str) -> None:
    assert check_template(path) == check_webhook_path(path) == path
    assert check_route(f"GET {path}") == f"GET {path}"


@pytest.mark.parametrize("path", ["/webhook/**", "/**", "/a/{session}/**", "/a/{session}:{_}/**"])
def test_only_a_webhooks_path_may_stand_for_everything_below(path: str) -> None:
    assert check_webhook_path(path) == path
    for check, text in ((check_template, path), (check_route, f"POST {path}")):
        with pytest.raises(ValueError, match=r"a \* has no special meaning here"):
            check(text)


@pytest.mark.parametrize("path", ["/a/**/b", "/a**", "/**/", "/a/***"])
def test_everything_below_stands_at_the_end_as_a_whole_segment(path: str) -> None:
    with pytest.raises(ValueError, match=r"a \* has no special meaning here"):
        check_webhook_path(path)


def test_one_star_for_everything_below_is_corrected() -> None:
    with pytest.raises(ValueError, match=r'/\*\* for it and everything below; did you mean "/hook/\*\*"\?$'):
        check_webhook_path("/hook/*")


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
        ("/a/{id}", f"allowed: {ONLY}"),
        ("/a/{session", f"allowed: {ONLY}"),
        ("/a/x{session}", f"allowed: {WHOLE}"),
        ("/a/{_}x", f"allowed: {WHOLE}"),
        ("/a/{session}{_}", f"allowed: {WHOLE}"),
        ("/a/{session}:{session}", f"allowed: {WHOLE}"),
        ("/a/{_}:{_}", f"allowed: {WHOLE}"),
        ("/a/{_}:{session}:{_}", f"allowed: {WHOLE}"),
        ("/{session}/{session}:{_}", "allowed: {session} once"),
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
    with pytest.raises(ValueError, match=r"\{session\} must be in the path"):
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
        ("/{_}/b", "/{session}/b", True),
        ("/{session}", "/{session}:{_}", True),
        ("/{session}:{_}", "/{session}", False),
        ("/{session}:{_}", "/{_}:{session}", True),
        ("/{session}:{_}", "/{session}-{_}", False),
        ("/{session}:{_}", "/a:b", True),
        ("/{session}:{_}", "/a:", False),
        ("/a/**", "/A", True),
        ("/a/**", "/a/b/{session}", True),
        ("/a/**", "/a/b/**", True),
        ("/a/b/**", "/a/**", False),
        ("/a", "/a/**", False),
        ("/a/**", "/b/c", False),
        ("/**", "/", True),
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


def test_no_correction_repeats_a_token_beside_the_session() -> None:
    with pytest.raises(ValueError, match="allowed: ") as caught:
        check_template("api/{session}:s3cret/x")
    assert "s3cret" not in str(caught.value)
