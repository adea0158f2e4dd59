"""Requests that are not forwarded, as their heads tell."""

import pytest

from statusproxy.proxy.http1.head import WellKnown
from statusproxy.proxy.refusal import refusal


@pytest.mark.parametrize(
    ("method", "well_known", "limit", "expected"),
    [
        ("GET", {}, 1024, None),
        ("CONNECT", {}, None, "method_not_allowed"),
        ("GET", {b"via": [b"1.1 nginx, " + b", ".join([b"1.1 statusproxy"] * 7)]}, None, None),
        ("GET", {b"via": [b", ".join([b"1.1 statusproxy"] * 4)] * 2}, None, "loop"),
        ("GET", {b"via": [b", ".join([b"1.1 nginx"] * 9)]}, None, None),
        ("POST", {b"content-length": [b"1024"]}, 1024, None),
        ("POST", {b"content-length": [b"1025"]}, 1024, "body_too_large"),
        ("POST", {b"content-length": [b"1025"]}, None, None),
        ("POST", {b"transfer-encoding": [b"chunked"]}, 1024, None),
    ],
)
def test_what_is_not_forwarded_and_why(
    method: str, well_known: WellKnown, limit: int | None, expected: str | None
) -> None:
    assert refusal(method, well_known, limit) == expected
