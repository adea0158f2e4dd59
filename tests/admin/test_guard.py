"""Who may ask the admin listener, request by request."""

import base64

import pytest

from statusproxy.admin.guard import OPEN, Refused, is_address, is_polled, refusal

HERE = "127.0.0.1:8091"


def asked(
    path: str = "/sessions", host: str = HERE, origin: str | None = None, given: str = "", token: str | None = None
) -> int | None:
    """The status of the refusal, None where it is answered."""
    refused = refusal(path, host, origin, given, token)
    return None if refused is None else refused.status


def test_without_a_token_who_asks_by_the_address_is_answered() -> None:
    assert asked() is None
    assert asked(origin=f"http://{HERE}") is None
    assert asked(host="status.example") == 403


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", "bearer right", "right", "Bearer right ", "Bearer r\udcffght"]
)
def test_with_a_token_only_its_holder_is_answered(given: str) -> None:
    refused = refusal("/sessions", HERE, None, given, "right")
    assert refused == Refused(401, "the admin token is missing or wrong", {"WWW-Authenticate": "Bearer"})


def test_the_tokens_holder_may_ask_by_any_name_but_from_no_other_sites_page() -> None:
    assert asked(host="status.example", given="Bearer right", token="right") is None
    assert asked(host="status.example", given="Bearer right", token="right", origin="https://status.example") is None
    assert asked(host="status.example", given="Bearer right", token="right", origin="https://evil.example") == 403
    assert asked(given="Bearer ünlock", token="ünlock") is None


@pytest.mark.parametrize("path", ["/healthz", "/", "/page.js"])
def test_what_tells_nothing_of_the_site_needs_no_token(path: str) -> None:
    assert path in OPEN
    assert asked(path, token="right") is None
    assert asked(path, token="right", origin="https://evil.example") == 403
    assert asked(path, host="evil.example") == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1", "", "//"])
def test_a_foreign_origin_is_refused(origin: str) -> None:
    refused = refusal("/sessions", HERE, origin, "", None)
    assert refused == Refused(403, "requests from other sites' pages are refused")


@pytest.mark.parametrize("host", ["localhost", "localhost:8091", "127.0.0.1", "[::1]:8091", "10.0.0.7:8091", ""])
def test_an_address_and_localhost_are_addresses(host: str) -> None:
    assert is_address(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "@evil.example"]
)
def test_a_name_is_no_address(host: str) -> None:
    assert not is_address(host)


def basic(credentials: str) -> str:
    """A field `Authorization` with a name and a password."""
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize("path", ["/up", "/sessions/Sales Team/up", "/sessions/a/b/up", "/badge/sales.svg"])
def test_where_tools_poll_the_token_may_be_a_password(path: str) -> None:
    assert is_polled(path)
    for given in (basic("kuma:right"), basic(":right"), basic("kuma:right").replace("Basic", "basic")):
        assert asked(path, given=given, token="right") is None
    assert asked(path, given="Bearer right", token="right") is None
    assert asked(path, given=basic("kuma:ünlock:2"), token="ünlock:2") is None
    assert asked(path, given=basic("kuma:right"), token="right", origin="https://evil.example") == 403


@pytest.mark.parametrize(
    "given",
    [basic("kuma:wrong"), basic("right:"), basic("right"), "Basic right", "Basic", "Basic \udcff", "Any right"],
)
def test_another_password_is_refused_and_none_is_asked_for(given: str) -> None:
    refused = refusal("/up", HERE, None, given, "right")
    assert refused is not None
    assert refused.headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("path", ["/sessions", "/sessions/sales/release", "/metrics", "/upper", "/badge/", "/doctor"])
def test_elsewhere_a_password_is_not_enough(path: str) -> None:
    assert not is_polled(path)
    assert asked(path, given=basic("kuma:right"), token="right") == 401
