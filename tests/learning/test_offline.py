"""Captured files: what can be read of them, and what is said where nothing can."""

import json
from pathlib import Path

import pytest

from statusproxy.captures import CaptureError
from statusproxy.learning.observation import Observation
from statusproxy.learning.offline import learn_events, learn_list
from tests.learning.traffic import LIST, ROUTE, draft_from, lines, link

EVENT = link("sales", "up")


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (json.dumps(EVENT).encode(), 1),
        (json.dumps([EVENT, EVENT]).encode(), 2),
        (lines([EVENT, EVENT]), 2),
        (lines([{"headers": {}, "body": EVENT}]), 1),
        (lines([{"headers": {}, "body": json.dumps(EVENT)}]), 1),
        (json.dumps({"headers": {}, "body": [EVENT, EVENT]}).encode(), 2),
        (b"token=a&jsonData=" + json.dumps(EVENT).replace(" ", "").encode() + b"\n", 1),
        (lines([EVENT]) + b"\n\nnot json\n" + lines([EVENT]), 2),
        (lines([{"events": [EVENT] * 30}]), 30),
    ],
)
def test_events_are_read_in_all_forms(content: bytes, count: int) -> None:
    seen = Observation()
    assert learn_events(seen, content, "f", "/hook") == count == seen.events
    assert seen.paths == {"/hook": count}


def test_a_body_of_an_event_s_own_is_not_unpacked() -> None:
    seen = Observation()
    learn_events(seen, json.dumps({"event": "message", "body": {"x": 1}}).encode(), "f")
    assert ("body", "x") in seen.all.members


def test_a_capture_s_time_and_path_are_used() -> None:
    capture = {"at": "2026-01-15T19:07:10Z", "path": "/in/status?key=s3cret", "body": {"at": 1_768_504_026}}
    seen = Observation()
    learn_events(seen, lines([capture]), "f")
    assert seen.paths == {"/in/status": 1}
    times = seen.all.members["at",].times
    assert times is not None
    assert (times.lowest, times.highest) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing", "f: this is neither JSON, nor JSON lines, nor a form"),
        (b"[]", "f: no event can be read in it"),
        (b"5", "f: no event can be read in it"),
    ],
)
def test_a_file_without_an_event_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(CaptureError, match=said):
        learn_events(Observation(), content, "f")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x", "f: it is not JSON"),
        (b"[" * 20_000 + b"]" * 20_000, "f: it is nested too deep to be read"),
        (b"{}", "f: there is no array of objects in it; .*write {session} in"),
    ],
)
def test_a_file_without_a_list_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(CaptureError, match=said):
        learn_list(Observation(), content, "/a", "f")


def test_lists_are_read_before_events(tmp_path: Path) -> None:
    events, answer = tmp_path / "e.jsonl", tmp_path / "l.json"
    events.write_bytes(lines([EVENT]))
    answer.write_text(json.dumps(LIST))
    text = draft_from([events], "/hook", [answer], [ROUTE])
    assert "session: [box.ref]    # 100% are ids of the list" in text
    assert f"path: {ROUTE}" in text


@pytest.mark.parametrize("words", [["caiu"] * 3 + ["conectado"], ["conectado"] + ["caiu"] * 3])
def test_a_word_is_shown_whether_it_came_before_or_after_those_that_show_it_to_be_one(
    words: list[str], tmp_path: Path
) -> None:
    events = tmp_path / "e.jsonl"
    events.write_bytes(lines({"event": "conn", "session": "sa", "status": word} for word in words))
    text = draft_from([events], "/hook", [], [])
    assert "    state: [status]    # caiu 3, conectado 1\n" in text
    assert (
        "    # TODO: no word that came is known to mean lost. Which one does? Without it this rule corrects nothing:\n"
        "    # disconnected: [WORD]\n"
        "    connected: [conectado]    # TODO: guessed\n"
        "    # TODO: what do these mean? Left out, they say nothing: caiu 3\n"
    ) in text


def test_a_contact_s_texts_stay_hidden_however_often_they_are_looked_at(tmp_path: Path) -> None:
    events = tmp_path / "e.jsonl"
    events.write_bytes(lines({"event": "profile", "status": word} for word in ["Ocupado"] * 4 + ["Dormindo"] * 4))
    text = draft_from([events, events], "/hook", [], [])
    assert "Ocupado" not in text
    assert "Dormindo" not in text


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "e.jsonl"
    file.write_bytes(b"nothing")
    with pytest.raises(CaptureError, match=r"e\.jsonl: this is neither JSON"):
        draft_from([file], None, [], [])


def test_each_list_needs_its_route(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="one --route for each --list"):
        draft_from([], None, [tmp_path / "x"], [])


@pytest.mark.parametrize("written", ["api", "/a b", "/a?x", "http://gateway.example/a", "/a\n"])
def test_paths_are_paths(written: str) -> None:
    with pytest.raises(CaptureError, match="--path and --route are paths"):
        draft_from([], written, [], [])
