"""The story of `docs/new-gateway.md` with a gateway of odd shapes: from captures to a preset that corrects its list.

Its sessions are numbers, its states stand four objects deep, its times are nanoseconds, and what an event is about
stands in a header and in the path alone.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import Settings
from statusproxy.rehearsal.command import Request, play
from statusproxy.rehearsal.messages import Results
from tests.learning.traffic import draft_from

BEGIN = 1_768_504_026


def capture(kind: str, second: int, line: int, inner: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": BEGIN + second + 1,
        "path": f"/in/{kind}",
        "headers": {"X-Kind": kind},
        "body": {"ts": (BEGIN + second) * 10**9 + 123_456_789, "src": {"line": line}, "wrap": {"inner": inner}},
    }


def state(second: int, line: int, now: str, was: str) -> dict[str, Any]:
    return capture("line-state", second, line, {"link": {"was": was, "now": now}})


EVENTS = [
    state(0, 4711, "UP", "RETRYING"),
    state(1, 4712, "UP", "RETRYING"),
    capture("message", 5, 4711, {"msg": {"sender": "5511999990000@c.us", "text": "hello", "mine": False}}),
    state(60, 4711, "DOWN", "UP"),
    state(61, 4711, "RETRYING", "DOWN"),
    state(90, 4711, "UP", "RETRYING"),
    state(95, 4712, "DOWN", "UP"),
    state(94, 4712, "UP", "DOWN"),  # comes late
]
LIST = {"result": {"lines": [{"no": 4711, "link": {"now": "UP"}}, {"no": 4712, "link": {"now": "UP"}}]}}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    events, answer = tmp_path / "events.jsonl", tmp_path / "list.json"
    events.write_text("".join(f"{json.dumps(event)}\n" for event in EVENTS))
    answer.write_text(json.dumps(LIST))
    return events, answer


@pytest.fixture
def draft(files: tuple[Path, Path]) -> str:
    events, answer = files
    return draft_from([events], None, [answer], ["/v3/lines"])


def settings(draft: str) -> Settings:
    return loads(f"gateway: http://gateway.example\npreset: null\n{draft}")


def tried(draft: str, files: tuple[Path, Path]) -> Results:
    events, answer = files
    return play(settings(draft), Request(events=[str(events)], lists=[str(answer)], now=float(BEGIN)))


def test_the_draft_says_where_everything_stands(draft: str) -> None:
    known = settings(draft)
    assert [webhook.path for webhook in known.webhooks] == ["/in/line-state", "/in/message"]
    assert (known.dialect.event, known.dialect.time) == (("wrap.inner.link.now",), ("ts",))
    assert {rule.event: (rule.session, rule.means) for rule in known.events} == {
        ("DOWN",): (("src.line",), "disconnected"),
        ("UP",): (("src.line",), "connected"),
        ("RETRYING",): (("src.line",), "transient"),
    }
    (entry,) = known.channels
    assert (entry.path, entry.list, entry.id, entry.set, entry.connected) == (
        "/v3/lines",
        ("result.lines",),
        ("no",),
        {"link.now": "DOWN"},
        ("UP",),
    )
    assert "nanoseconds; in 8 events; within 5 s of our clock" in draft


def test_the_draft_holds_nobody_s_number_and_no_id(draft: str) -> None:
    assert [text for text in ("4711", "4712", "5511", "hello") if text in draft] == []


def test_what_was_captured_is_read_as_it_was_meant(draft: str, files: tuple[Path, Path]) -> None:
    results = tried(draft, files)
    assert [(event.session, event.says, event.verdict) for event in results.events] == [
        ("4711", "connected", "applied"),
        ("4712", "connected", "applied"),
        ("4711", None, "unmatched"),
        ("4711", "disconnected", "applied"),
        ("4711", "transient", "applied"),
        ("4711", "connected", "applied"),
        ("4712", "disconnected", "applied"),
        ("4712", "connected", "late"),
    ]
    assert [override.session for override in results.overrides] == ["4712"]
    (shown,) = results.lists
    assert [channel.channel for channel in shown.corrected] == ["4712"]
