"""What may be logged of a request's path."""

from typing import Any

import pytest

from statusproxy.observe.exchange_report import path_of
from tests.observe.prometheus import report


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/health?token=1", "/health"),
        (b"/health", "/health"),
        (b"/api/media/5500000000001/x", "/api/…"),
        (b"/api/", "/api/"),
        (b"/v2/x", "/v2/…"),
        (b"/5500000000001/x", "/…/…"),
        (b"/5500000000001", "/…"),
        (b"/a-very-long-word-that-could-be-a-secret-of-someone", "/…"),
        (b"/", "/"),
        (b"http://host/health?x", "/health"),
        (b"*", "/…"),
    ],
)
def test_only_a_word_is_told_of_a_path(target: bytes, path: str) -> None:
    assert report(target=target).path == path


def test_a_secret_in_a_routes_path_is_not_even_hinted_at() -> None:
    told: dict[str, Any] = {"target": b"/api/sales:key/status", "template": "/api/{session}:{_}/status"}
    assert report(**told).path == "/api/{session}:***/status"


def test_a_route_tells_its_template() -> None:
    told: dict[str, Any] = {"target": b"/api/channels/5500000000001", "template": "/api/channels/{session}"}
    assert report(**told).path == "/api/channels/{session}"


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"/a/b?c", b"/a/b"), (b"https://h:1/a?b", b"/a"), (b"h2+x://h", b""), (b"/x://y", b"/x://y"), (b"", b"")],
)
def test_the_path_of_a_target(target: bytes, path: bytes) -> None:
    """RFC 9112 §3.2."""
    assert path_of(target) == path
