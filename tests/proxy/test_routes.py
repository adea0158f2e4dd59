"""Routes: paths compare as Express compares them."""

import pytest

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.proxy import routes
from statusproxy.proxy.routes import Match, Route, RouteTable, raw_below, raw_segment, segments
from statusproxy.status.session_cut import Cut
from tests.proxy.counted import calls_in

Table = RouteTable[str]


@pytest.fixture
def table() -> Table:
    """Routes of every kind."""
    return RouteTable(
        [
            Route(RouteKind.CHANNELS, frozenset({"GET", "HEAD"}), "/api/channels", "list"),
            Route(RouteKind.CHANNELS, frozenset({"GET"}), "/api/channels/{session}", "one"),
            Route(RouteKind.DELETE, frozenset({"DELETE"}), "/api/channels/{session}", "delete"),
            Route(RouteKind.QR, frozenset({"GET"}), "/api/channels/{session}/qr", "qr"),
            Route(RouteKind.WEBHOOK, frozenset({"POST"}), "/Événement/x y", "hook"),
        ]
    )


@pytest.mark.parametrize(
    "target",
    [
        b"/api/channels",
        b"/api/channels/",
        b"/API/Channels",
        b"/api/%63hannels",
        b"/%61pi/channels?x=1",
        b"/api/channels/?",
        b"http://other.example/api/channels?x",
        b"HTTP://other.example:80/api/channels/",
    ],
)
def test_the_list_is_found_however_express_lets_it_be_written(table: Table, target: bytes) -> None:
    assert table.match("GET", target) == Match(RouteKind.CHANNELS, "list", None, "/api/channels")


@pytest.mark.parametrize(
    ("target", "segment"),
    [
        (b"/api/channels/Sales%20Team/qr?x=/", b"Sales%20Team"),
        (b"http://other.example/api/channels/a%2Fb", b"a%2Fb"),
        (b"/api/channels/a?b", b"a"),
    ],
)
def test_a_segment_is_given_as_it_came(target: bytes, segment: bytes) -> None:
    assert raw_segment(target, 3) == segment


@pytest.mark.parametrize("segment", [b".", b"..", b"%2e%2E", b"%2E"])
def test_where_a_path_leads_is_no_session(table: Table, segment: bytes) -> None:
    assert table.match("GET", b"/api/channels/" + segment) == Match(RouteKind.PASS)


@pytest.mark.parametrize(
    "target",
    [
        b"/api/channels//",
        b"//api/channels",
        b"/api//channels",
        b"/api%2Fchannels",
        b"/api/channelsx",
        b"/x/api/channels",
        b"/api/./channels",
        b"/api",
        b"/",
        b"*",
        b"http://other.example",
        b"/api/channels/a/b/c",
    ],
)
def test_what_express_would_not_route_there_passes(table: Table, target: bytes) -> None:
    assert table.match("GET", target).kind is RouteKind.PASS


@pytest.mark.parametrize(
    ("target", "session"),
    [
        (b"/api/channels/Sales%20Team", "Sales Team"),
        (b"/api/channels/a%2Fb/", "a/b"),
        (b"/API/CHANNELS/CamelCase?x", "CamelCase"),
        (b"/api/channels/caf%C3%A9", "café"),
        (b"/api/channels/%FF", "\udcff"),
        (b"/api/channels/100%", "100%"),
    ],
)
def test_a_session_takes_one_segment_decoded_in_its_own_case(table: Table, target: bytes, session: str) -> None:
    assert table.match("GET", target) == Match(RouteKind.CHANNELS, "one", session, "/api/channels/{session}")


def test_the_method_decides_among_routes_of_one_path(table: Table) -> None:
    assert table.match("DELETE", b"/api/channels/a").entry == "delete"
    assert table.match("get", b"/api/channels").kind is RouteKind.PASS
    assert table.match("POST", b"/api/channels").kind is RouteKind.PASS


def test_a_template_may_hold_any_character(table: Table) -> None:
    assert table.match("POST", b"/%C3%89v%C3%A9nement/X%20Y").entry == "hook"


SECRETS = RouteTable(
    [
        Route(RouteKind.WEBHOOK, frozenset({"POST"}), "/hook/**", "events"),
        Route(RouteKind.CHANNELS, frozenset({"GET"}), "/api/{_}/all", "all"),
        Route(RouteKind.CHANNELS, frozenset({"GET"}), "/v1/{session}:{_}/status", "cut"),
        Route(RouteKind.CHANNELS, frozenset({"GET"}), "/v1/{session}/status", "whole"),
    ]
)


@pytest.mark.parametrize("target", [b"/hook", b"/Hook/", b"/hook/connection-update", b"/hook/a/b%2Fc/d?x=/../"])
def test_a_webhook_may_take_everything_below(target: bytes) -> None:
    assert SECRETS.match("POST", target) == Match(RouteKind.WEBHOOK, "events", None, "/hook/**")


@pytest.mark.parametrize("target", [b"/hook/..", b"/hook/a/%2e%2e/b", b"/hook//a", b"/hooks", b"/"])
def test_what_may_lead_elsewhere_is_not_below(target: bytes) -> None:
    assert SECRETS.match("POST", target).kind is RouteKind.PASS


@pytest.mark.parametrize(
    ("target", "entry", "session"),
    [
        (b"/v1/Sales:$2b$10$key/status", "cut", "Sales"),
        (b"/v1/Sales%3Akey/status", "cut", "Sales"),
        (b"/v1/Sales/status", "whole", "Sales"),
        (b"/api/key/all", "all", None),
    ],
)
def test_a_session_is_cut_from_a_secret(target: bytes, entry: str, session: str | None) -> None:
    found = SECRETS.match("GET", target)
    assert (found.entry, found.session) == (entry, session)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The paths that were taken apart to be looked up, since nothing was remembered of them."""
    paths: list[bytes] = []

    def noted(path: bytes) -> tuple[str, ...]:
        paths.append(path)
        return segments(path)

    monkeypatch.setattr(routes, "segments", noted)
    return paths


def test_a_path_that_may_hold_a_secret_is_not_remembered(read: list[bytes]) -> None:
    for target in (b"/v1/a:key/status", b"/v1/a:key/other", b"/api/key/all", b"/api/key/x/..", b"/v1/a/status", b"/x"):
        assert SECRETS.match("GET", target) == SECRETS.match("GET", target)
        read.clear()
        SECRETS.match("GET", target)
        assert read == ([target] if b"key" in target else [])


def test_no_part_of_a_path_is_shown_where_it_may_begin_with_a_secret() -> None:
    table = RouteTable([Route(RouteKind.QR, frozenset({"GET"}), "/{_}/qr", "qr")])
    assert table.match("GET", b"/key/other") == Match(RouteKind.PASS, template="/…")


def test_what_is_below_is_given_as_it_came() -> None:
    assert raw_below(b"http://h.example/a/b%2Fc/d/?x", 2) == b"/b%2Fc/d/"
    assert raw_below(b"/a?x", 2) == b""


def test_segments_are_decoded_one_by_one() -> None:
    assert segments(b"/a%2Fb/%41//") == ("a/b", "A", "")


def test_paths_are_remembered_up_to_a_bound_of_number_and_length(
    read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_REMEMBERED", 3)
    table = RouteTable([Route(RouteKind.QR, frozenset({"GET"}), "/q", "q")])
    few, long = [b"/0", b"/1", b"/2"], b"/" + b"a" * 300
    for path in (*few, long, long, *few):
        table.match("GET", path)
    assert read == [*few, long, long]
    assert table.match("GET", b"/q").entry == "q"
    read.clear()
    for path in few:
        table.match("GET", path)
    assert read == few, "all were forgotten to make room"


def test_a_path_of_up_to_256_bytes_is_looked_up_once_whatever_its_query(table: Table) -> None:
    path = b"/api/channels/" + b"a" * 242
    assert table.match("GET", path + b"?x=1") is table.match("GET", path + b"?x=2") is table.match("GET", path)
    assert table.match("GET", path + b"a") is not table.match("GET", path + b"a")


@pytest.mark.parametrize(
    ("segment", "match"),
    [
        (b"sales:s3cret", Match(RouteKind.WEBHOOK, "hook", "sales", "/hook/{session}")),
        (b"sales%3As3cret", Match(RouteKind.WEBHOOK, "hook", "sales", "/hook/{session}")),
        (b"sales", Match(RouteKind.WEBHOOK, "hook", "sales", "/hook/{session}")),
        (b":s3cret", Match(RouteKind.PASS)),
    ],
)
def test_a_token_beside_the_session_is_cut_off_and_not_remembered(
    segment: bytes, match: Match[str], read: list[bytes]
) -> None:
    hook = Route(RouteKind.WEBHOOK, frozenset({"POST"}), "/hook/{session}", "hook")
    table = RouteTable([hook], Cut(":", session_first=True))
    for _ in range(2):
        assert table.match("POST", b"/hook/" + segment) == match
    assert len(read) == (2 if b"s3cret" in segment else 1)


def test_no_segment_takes_a_call_of_its_own_where_nothing_is_encoded() -> None:
    """A target may be thousands of slashes."""
    assert calls_in(lambda: segments(b"/" * 10_000)) < 50


def test_segments_read_at_once_are_those_read_one_by_one() -> None:
    raw = b"/caf\xc3\xa9/\xc3/\xff\xfe//"
    assert segments(raw) == tuple(part.decode(errors="surrogateescape") for part in raw.split(b"/")[1:-1])
