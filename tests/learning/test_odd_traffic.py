"""Odd bodies and answers: what is learned of them is bounded, names no value, and drafts a preset that loads."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.config.load import loads
from statusproxy.learning import words
from statusproxy.learning.observation import Observation
from statusproxy.learning.unpack import unpack
from statusproxy.learning.watch import Watch
from tests.learning.traffic import draft, kept

ID = "c7f3a9e1b2d4"
NUMBER = "5511999990000"
PLANTED = (ID, NUMBER, "qZt9xW4kLmP0", "Maria Souza", "ola tudo bem")
"""An id, a number, a token, a name, a text: none of them may be kept anywhere."""

NAMES = st.sampled_from(
    ["event", "type", "session", "status", "state", "id", "data", "events", "at", "link", "no", "a.b", "", "\0"]
)
ODD_NAMES = st.text(max_size=12) | st.sampled_from(PLANTED)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from([*PLANTED, "open", "close", "UP", f"{ID}:x", "2026-01-15T19:07:06Z", "0001-01-01T00:00+23:59"])
    | st.sampled_from([1_768_504_026, 1_768_504_026_123_456_789, 10**18, 10**400, int(NUMBER)])
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | ODD_NAMES, inner, max_size=6),
    max_leaves=25,
)


def learned(events: list[Any], answers: list[Any]) -> Observation:
    seen = Observation()
    for answer in answers:
        seen.answer("/api/sessions", answer)
        seen.answer("/api/sessions/{session}", answer, written=True)
    for event in events:
        unpacked = unpack(json.dumps(event).encode())
        for document in [] if unpacked is None else unpacked.documents:
            seen.event(document, "/hook", None, 1_768_504_100.0)
    return seen


def planted_in(seen: Observation) -> list[str]:
    texts = [*kept(seen), *kept(vars(words)["_made_of"]), draft(seen)]
    return [secret for secret in PLANTED if any(secret.casefold() in text.casefold() for text in texts)]


@pytest.mark.slow
@given(st.lists(DOCUMENTS, max_size=4), st.lists(DOCUMENTS, max_size=2))
def test_no_document_is_an_error_or_kept_and_the_draft_loads(events: list[Any], answers: list[Any]) -> None:
    seen = learned(events, answers)
    assert planted_in(seen) == []
    loads(f"gateway: http://gateway.example\npreset: null\n{draft(seen)}")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@pytest.mark.slow
def test_no_body_is_an_error(body: bytes) -> None:
    watch = Watch(lambda: 1_768_504_100.0)
    watch.start(60)
    watch.event(body, "/hook")
    watch.answer(body, "/api/sessions")
    assert watch.failure is None


@pytest.mark.parametrize(
    "name",
    [
        NUMBER,
        f"+{NUMBER}",
        f"n{NUMBER}",
        f"{NUMBER}@c.us",
        ID,
        "qZt9xW4kLmP0",
        "xkcdqwrtzplm",
        "Maria Souza",
        "a" * 50,
        "é",
    ],
)
def test_a_name_that_looks_like_an_id_is_not_kept(name: str) -> None:
    seen = learned([{"event": "status", name: {"state": "open"}}], [])
    assert ("*", "state") in seen.all.members
    assert name not in set(kept(seen))


@pytest.mark.parametrize(
    "name", ["sessionId", "from_me", "isVerifiedBizName", "strength", "tId", "http2", "$type", "rxTs"]
)
def test_a_name_that_a_programmer_wrote_is_kept(name: str) -> None:
    assert (name,) in learned([{name: 1}], []).all.members


def size(seen: Observation) -> int:
    return sum(map(len, kept(seen)))


@pytest.mark.slow
def test_a_hundred_thousand_names_in_a_body_take_no_room() -> None:
    seen = learned([{f"name{chr(97 + n % 26)}{n}x": "open" for n in range(100_000)}], [])
    assert len(seen.all.members) == 1
    assert size(seen) < 1_000


def test_names_of_a_megabyte_are_not_kept_anywhere() -> None:
    long = "open" * 250_000
    seen = learned([{long: long, "event": long, "deep": {long: 1}}], [{"sessions": [{long: long, "id": long}]}])
    assert size(seen) < 1_000
    assert not words.is_known(long)
    assert all(len(text) <= words.LONGEST for text in kept(vars(words)["_made_of"]))


@pytest.mark.slow
def test_new_names_in_each_event_end_at_a_bound() -> None:
    seen = Observation()
    letters = "abcdefghijklmnopqrstuvwxyz"
    for n in range(400):
        names = [f"{letters[n % 26]}o{letters[n // 26]}a{letters[m % 26]}e{letters[m // 26]}i" for m in range(50)]
        seen.event({"event": "status", "n": dict.fromkeys(names, "open")}, "/hook")
    assert len(seen.all.members) <= 320
    assert size(seen) < 200_000


def test_words_that_were_looked_at_are_remembered_only_where_they_are_technical() -> None:
    for text in (*PLANTED, "sales", "scan_qr_code"):
        words.is_known(text)
        words.is_word(text)
        words.meaning(text)
    remembered = set(kept(vars(words)["_made_of"]))
    assert "scan_qr_code" in remembered
    assert remembered.isdisjoint([*PLANTED, "sales"])


def test_a_long_path_and_a_form_s_odd_member_are_not_kept() -> None:
    seen = Observation()
    assert not seen.answer("/id" * 5_000, [{"id": "a", "status": "open"}])
    seen.event({"event": "x"}, "/hook", f"k{NUMBER}")
    assert seen.forms == {}
