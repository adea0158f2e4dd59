"""What the followers of a shared call have in common: the same answer as each would work out for itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.common_answer import CommonAnswer
from statusproxy.proxy.conditional import represent
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Header, WellKnown
from statusproxy.proxy.response_head import response_fields

HEAD = ResponseHead(
    200,
    b"OK",
    headers=[(b"Content-Type", b"application/json"), (b"ETag", b'"gateway"'), (b"Content-Length", b"9")],
)
OWN = ResponseHead(200, b"OK", headers=[*HEAD.headers, (b"X-Request-ID", b"own")])
BODY, LARGE = b"corrected", b"x" * 2_000


def common(head: ResponseHead, request_id: bytes, *, replace_id: bool = True) -> CommonAnswer:
    fields, said = response_fields(head, request_id, replace_id=replace_id)
    return CommonAnswer(head, fields, said, request_id, BODY, None)


def alone(
    head: ResponseHead, request_id: bytes, asked: WellKnown, shown: bytes, tag: bytes | None, *, replace_id: bool = True
) -> object:
    """The representation for one that no one follows."""
    fields, said = response_fields(head, request_id, replace_id=replace_id)
    return represent(asked, head.status, head.reason, fields, said, len(shown), tag)


asking: st.SearchStrategy[WellKnown] = st.fixed_dictionaries(
    {},
    optional={
        b"accept-encoding": st.sampled_from([[b"gzip"], [b"identity"], [b"gzip", b"br"]]),
        b"if-none-match": st.sampled_from([[b'"gateway"'], [b'W/"own"'], [b'"other"']]),
        b"accept": st.just([b"*/*"]),
    },
)
requests = st.lists(st.tuples(asking, st.sampled_from([BODY, LARGE])), min_size=1, max_size=6)


@given(requests, st.sampled_from([HEAD, OWN]), st.sampled_from([None, b'W/"own"']), st.booleans())
def test_each_gets_what_it_would_get_alone(
    asked: list[tuple[WellKnown, bytes]], head: ResponseHead, tag: bytes | None, replace_id: bool
) -> None:
    shared = common(head, b"id-0", replace_id=replace_id)
    for number, (fields, shown) in enumerate(asked):
        request_id = b"id-%d" % number
        answer = shared.known(fields, shown, request_id) or shared.represent(fields, shown, tag, request_id)
        assert answer == alone(head, request_id, fields, shown, tag, replace_id=replace_id)


def test_only_one_that_asks_alike_for_the_same_is_known() -> None:
    shared = common(HEAD, b"first")
    assert shared.known({}, BODY, b"first") is None
    shared.represent({}, BODY, b'W/"own"', b"first")
    assert shared.known({b"accept": [b"*/*"]}, BODY, b"second") is not None
    assert shared.known({b"accept-encoding": [b"gzip"]}, BODY, b"second") is None
    assert shared.known({b"if-none-match": [b"*"]}, BODY, b"second") is None
    assert shared.known({}, LARGE, b"second") is None


def ids(fields: list[Header]) -> list[bytes]:
    return [value for name, value in fields if name.lower() == b"x-request-id"]


@pytest.mark.parametrize(
    ("head", "replace_id", "expected"), [(HEAD, True, b"second"), (OWN, True, b"second"), (OWN, False, b"own")]
)
def test_each_gets_its_own_id_unless_the_gateways_is_kept(
    head: ResponseHead, replace_id: bool, expected: bytes
) -> None:
    shared = common(head, b"first", replace_id=replace_id)
    first = ids(shared.fields(b"first"))
    assert ids(shared.fields(b"second")) == [expected]
    shared.represent({}, BODY, None, b"third")
    for request_id in (b"fourth", b"second"):
        known = shared.known({}, BODY, request_id)
        assert known is not None
        assert ids(known.headers) == [expected if expected == b"own" else request_id]
    assert ids(shared.fields(b"second")) == [expected]
    assert first == [b"own" if expected == b"own" else b"first"]


@pytest.mark.parametrize(("text", "failure"), [(BODY, None), (None, "broken-coding"), (None, None)])
def test_all_learn_what_the_body_was_or_why_it_could_not_be_read(text: bytes | None, failure: str | None) -> None:
    fields, said = response_fields(HEAD, b"first")
    shared = CommonAnswer(HEAD, fields, said, b"first", text, failure)
    assert (shared.text, shared.failure) == (text, failure)
