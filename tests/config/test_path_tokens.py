"""`config.path_tokens`: no token of a path is repeated, and all else is."""

import pytest

from statusproxy.config.path_tokens import is_plain, mask_tokens


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/api/{session}:$2b$10$abc/status-session", "/api/{session}:***/status-session"),
        ("POST /api/{session}:s3cret/start", "POST /api/{session}:***/start"),
        ("{session}:s3cret/start", "{session}:***/start"),
        ("/api/{session}:secret", "/api/{session}:***"),
        ("/api/{session}%3As3cret", "/api/{session}%***"),
        ("/api/{session}s3cret", "/api/{session}***"),
        ("/api/s3cret-{session}", "/api/***-{session}"),
        ("/api/s3cret{session}", "/api/***{session}"),
        ("/api/{_}:{session}:s3cret", "/api/{_}:{session}:***"),
        ("/api/sales:s3cret/x", "/api/sales:***/x"),
        ("/api/sales%3as3cret/x", "/api/sales%3a***/x"),
        ("/hook/$2b$10$abc/x", "/hook/***/x"),
        ("sales:%242b%2410%24abc/x", "sales:***/x"),
        ("/api/{session}:$2b$10$ab/Cd9//x", "/api/{session}:***/***//x"),
    ],
)
def test_what_stands_beside_an_id_is_not_repeated(text: str, shown: str) -> None:
    assert mask_tokens(text, "***") == shown
    assert mask_tokens(shown, "***") == shown
    assert mask_tokens(text, "") != text


@pytest.mark.parametrize(
    "text",
    [
        "/api/{session}:{_}/x",
        "/{_}-key-{session}",
        "/a/{session}/b",
        "/a/{session}{_}",
        "/a/:session/b",
        "/a/b:/c",
        "/v1/message:send",
        "GET /api/v1/Channels/**",
        "gw.example:3000/x",
        "http://gw.example:3000",
        "10.0.0.0/8",
        "connection.update",
    ],
)
def test_what_holds_no_token_is_repeated(text: str) -> None:
    assert mask_tokens(text, "***") == text


@pytest.mark.parametrize(
    ("segment", "plain"),
    [("status-session", True), ("v1", True), ("{session}", True), ("{_}", True), ("**", True), ("T0", False)],
)
def test_a_plain_segment_is_lower_case_words_a_version_or_a_placeholder(segment: str, plain: bool) -> None:
    assert is_plain(segment) is plain
