"""Corrected routes: what the gateway is asked, and what an answer says of its own version and coding."""

import pytest

from statusproxy.proxy.codings import WORTHWHILE
from statusproxy.proxy.conditional import WITHHELD, Representation, ask, represent
from statusproxy.proxy.http1.head import ANSWER_ROLES, REQUEST_ROLES, UNTRUE, Header, classify_fields, values
from statusproxy.proxy.response_head import without
from tests.proxy.counted import calls_in

TAG = b'W/"ours"'
LONG = b"x" * WORTHWHILE
TYPE: Header = (b"Content-Type", b"application/json")


def represented(
    asked: list[Header],
    said: list[Header],
    body: bytes = LONG,
    *,
    changed: bool = True,
    status: int = 200,
) -> Representation:
    """The answer for a `body`, which was changed or is the gateway's own."""
    fields, well_known = classify_fields(said, ANSWER_ROLES)
    fields = without(fields, b"content-length")
    known = classify_fields(asked, REQUEST_ROLES)[1]
    return represent(known, status, b"Reason", fields, well_known, len(body), TAG if changed else None)


def accept(value: bytes) -> list[Header]:
    return [(b"Accept-Encoding", value)]


def test_the_gateway_is_asked_for_the_whole_list_uncoded() -> None:
    other = (b"Authorization", b"secret")
    assert ask([*((name.title(), b"x") for name in sorted(WITHHELD)), other]) == [
        other,
        (b"Accept-Encoding", b"identity"),
    ]


# ---- the validator ----


def test_a_changed_body_has_a_tag_of_its_own_and_loses_what_is_untrue_of_it() -> None:
    answer = represented([], [TYPE, *((name.title(), b"x") for name in sorted(UNTRUE))])
    assert answer.headers == [TYPE, (b"ETag", TAG), (b"Vary", b"Accept-Encoding")]
    assert (answer.status, answer.reason, answer.bodiless, answer.gzip) == (200, b"Reason", False, False)


def test_an_unchanged_body_keeps_the_gateways_validators() -> None:
    said = [TYPE, (b"ETag", b'"theirs"'), (b"Last-Modified", b"yesterday")]
    assert represented([], said, b"short", changed=False).headers == said


@pytest.mark.parametrize(
    ("wanted", "changed", "status"),
    [
        (b'W/"ours"', True, 304),
        (b'"ours"', True, 304),
        (b'"other", W/"ours"', True, 304),
        (b"*", True, 304),
        (b'"theirs"', True, 200),
        (b'"our"', True, 200),
        (b"", True, 200),
        (b'"theirs"', False, 304),
        (b'W/"theirs"', False, 304),
        (b'"ours"', False, 200),
    ],
)
def test_the_tag_of_what_would_be_sent_decides_about_a_304(wanted: bytes, changed: bool, status: int) -> None:
    answer = represented([(b"If-None-Match", wanted)], [(b"ETag", b'"theirs"')], changed=changed)
    assert (answer.status, answer.bodiless) == (status, status == 304)
    assert answer.reason == (b"Not Modified" if status == 304 else b"Reason")


def test_tags_in_several_fields_are_one_list() -> None:
    asked = [(b"If-None-Match", b'"a"'), (b"if-none-match", b'"ours"')]
    assert represented(asked, []).status == 304


def test_only_a_200_can_be_unmodified() -> None:
    assert represented([(b"If-None-Match", b"*")], [], status=203).status == 203


def test_without_a_tag_nothing_is_unmodified() -> None:
    assert represented([(b"If-None-Match", b"*")], [], changed=False).status == 200


# ---- the coding ----


@pytest.mark.parametrize("changed", [True, False])
def test_a_client_that_takes_gzip_gets_it(changed: bool) -> None:
    answer = represented(accept(b"br, gzip"), [(b"ETag", b'W/"theirs"')], changed=changed)
    assert answer.gzip
    assert (b"Content-Encoding", b"gzip") in answer.headers
    assert (b"Vary", b"Accept-Encoding") in answer.headers
    assert not answer.bodiless


@pytest.mark.parametrize("asked", [[], accept(b"br"), accept(b"gzip;q=0")])
def test_any_other_gets_it_plain_and_learns_that_it_depends(asked: list[Header]) -> None:
    answer = represented(asked, [])
    assert not answer.gzip
    assert not values(answer.headers, b"content-encoding")
    assert values(answer.headers, b"vary") == [b"Accept-Encoding"]


def test_a_body_just_too_short_is_never_coded_and_depends_on_nothing() -> None:
    answer = represented(accept(b"gzip"), [], LONG[1:])
    assert (answer.gzip, values(answer.headers, b"vary")) == (False, [])


def test_an_unchanged_answer_that_the_gateway_coded_stays_as_it_is() -> None:
    said = [(b"Content-Encoding", b"br"), (b"ETag", b'"theirs"')]
    answer = represented(accept(b"gzip"), said, changed=False)
    assert (answer.headers, answer.gzip) == (said, False)


def test_a_changed_answer_that_the_gateway_coded_is_coded_anew() -> None:
    answer = represented(accept(b"gzip"), [(b"Content-Encoding", b"br")])
    assert values(answer.headers, b"content-encoding") == [b"gzip"]


def test_gzip_makes_a_strong_tag_weak_and_digests_untrue() -> None:
    untrue = [(name, b"x") for name in (b"Accept-Ranges", b"Content-MD5", b"Digest", b"Content-Digest", b"Repr-Digest")]
    answer = represented(accept(b"gzip"), [(b"ETag", b'"theirs"'), *untrue, TYPE], changed=False)
    assert answer.headers == [
        (b"ETag", b'W/"theirs"'),
        TYPE,
        (b"Vary", b"Accept-Encoding"),
        (b"Content-Encoding", b"gzip"),
    ]


def test_a_weak_tag_stays_as_it_is_under_gzip() -> None:
    answer = represented(accept(b"gzip"), [(b"ETag", b'W/"theirs"')], changed=False)
    assert values(answer.headers, b"etag") == [b'W/"theirs"']


@pytest.mark.parametrize("said", [b"Accept-Encoding", b"Origin, accept-encoding", b"*"])
def test_vary_is_not_said_twice(said: bytes) -> None:
    assert values(represented([], [(b"Vary", said)]).headers, b"vary") == [said]


@pytest.mark.parametrize(
    ("asked", "said"), [(b"if-none-match", b""), (b"accept", b"," * 30_000), (b"if-none-match", b"," * 30_000)]
)
def test_no_member_of_a_long_list_takes_a_call_of_its_own(asked: bytes, said: bytes) -> None:
    assert calls_in(lambda: represented([(asked, b"," * 30_000)], [(b"Vary", said)])) < 100


def test_vary_is_added_to_other_reasons() -> None:
    answer = represented([], [(b"Vary", b"Origin")])
    assert values(answer.headers, b"vary") == [b"Origin", b"Accept-Encoding"]


# ---- the 304 ----


@pytest.mark.parametrize("changed", [True, False])
@pytest.mark.parametrize("asked", [[], accept(b"gzip")])
def test_a_304_has_the_tag_and_vary_of_its_200_and_nothing_about_the_body(asked: list[Header], changed: bool) -> None:
    said = [
        (b"ETag", b'W/"theirs"'), (b"Cache-Control", b"no-cache"), TYPE,
        (b"Content-Language", b"en"), (b"Content-Range", b"bytes 0-1/2"), (b"Content-Length", b"5"),
    ]  # fmt: skip
    whole = represented(asked, said, changed=changed)
    answer = represented([*asked, (b"If-None-Match", b"*")], said, changed=changed)
    assert answer.status == 304
    assert not answer.gzip
    about_body = {b"content-type", b"content-language", b"content-range", b"content-length", b"content-encoding"}
    assert answer.headers == [header for header in whole.headers if header[0].lower() not in about_body]
    assert {b"ETag", b"Vary", b"Cache-Control"} <= dict(answer.headers).keys()


@pytest.mark.parametrize(
    "name",
    [
        *(b"If-Match", b"If-Modified-Since", b"If-None-Match", b"If-Range", b"If-Unmodified-Since", b"Range", b"A-IM"),
        *(b"Accept-Encoding", b"Want-Content-Digest", b"Want-Repr-Digest", b"Want-Digest"),
    ],
)
def test_the_gateway_is_not_asked_for_a_part_or_another_form_of_the_list(name: bytes) -> None:
    assert ask([(name, b"x"), (b"Accept", b"*/*")]) == [(b"Accept", b"*/*"), (b"Accept-Encoding", b"identity")]


@pytest.mark.parametrize(
    "name",
    [
        *(b"Accept-Ranges", b"Content-Digest", b"Content-Encoding", b"Content-Length", b"Content-MD5", b"Digest"),
        *(b"ETag", b"Last-Modified", b"Repr-Digest", b"Signature", b"Signature-Input"),
    ],
)
def test_what_was_said_of_the_body_that_came_is_not_said_of_another(name: bytes) -> None:
    assert (name, b"gone") not in represented([], [(name, b"gone")]).headers
