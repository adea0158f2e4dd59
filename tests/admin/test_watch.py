"""What watching sessions shows: one screen, or lines and documents of what changed."""

import json
from typing import Any

from statusproxy.admin.messages import Session, Sessions
from statusproxy.admin.watch import changes, json_line, plain, screen, text_line

AT = "12:00:00"


def a_session(name: str, **members: Any) -> Session:
    return Session(session=name, **({"shows": "gateway"} | members))


LOST = a_session(
    "sales", shows="disconnected", shown_at="x", since="2026-01-15T12:00:00.000Z", reason="status-find browserClose"
)


def lines(picture: str) -> list[str]:
    return plain(picture).split("\n")


def test_a_picture_is_drawn_over_the_one_before_and_fits_the_window() -> None:
    answer = Sessions(sessions=[a_session(f"unit {number}") for number in range(50)])
    picture = screen(answer, None, AT, 10)
    assert picture.startswith("\x1b[HLive, 12:00:00. Ctrl-C ends it.\x1b[K\r\n")
    assert picture.endswith("\x1b[K\x1b[J")
    _, empty, title, *rows, more = lines(picture)
    assert (len(lines(picture)), empty, title.split()[0], rows[0].split("  ")[0]) == (10, "", "SESSION", "unit 0")
    assert more == "… and 44 lines more; a taller window shows them"
    assert len(lines(screen(answer, None, AT, 53))) == 53
    assert "taller" not in screen(answer, None, AT, 53)
    assert lines(screen(answer, None, AT, 1))[-1] == "… and 51 lines more; a taller window shows them"


def test_a_picture_says_since_when_it_is_not_live_and_why_and_keeps_the_rest() -> None:
    picture = lines(screen(Sessions(sessions=[LOST]), "no \x1b[31manswer", AT, 10))
    assert picture[0] == r"NOT LIVE, as of 12:00:00: no \x1b[31manswer"
    assert picture[3].startswith("sales    –      disconnected  ")
    assert lines(screen(None, "no answer", AT, 10)) == ["NOT LIVE, as of 12:00:00: no answer", ""]


def test_changes_are_those_that_people_watch_for() -> None:
    before = {"sales": a_session("sales"), "gone": a_session("gone"), "same": a_session("same")}
    now = {
        "sales": LOST,
        "same": a_session("same", last_event="message", last_event_at="2026-01-15T12:00:01.000Z"),
        "new": a_session("new"),
    }
    assert list(changes(before, now)) == [("gone", None), ("sales", LOST), ("new", now["new"])]
    assert list(changes(now, now)) == []


def test_a_change_is_one_line_without_what_could_steer_a_terminal() -> None:
    assert text_line(AT, "sales", LOST) == "12:00:00  sales  disconnected  status-find browserClose"
    said = a_session("a\nb", gateway_said="connected")
    assert text_line(AT, "a\nb", said) == r"12:00:00  a\nb  as gateway says  (gateway: connected)"
    assert text_line(AT, "sales ", None) == '12:00:00  "sales "  forgotten'


def test_a_change_is_one_document_with_its_time() -> None:
    line = json_line("2026-01-15T12:00:00.000Z", "sales", LOST)
    document = json.loads(line)
    assert (document["session"], document["shows"], document["at"]) == (
        "sales", "disconnected", "2026-01-15T12:00:00.000Z",
    )  # fmt: skip
    odd = json_line(None, "a\u202e", None)
    assert odd.isprintable()
    assert json.loads(odd) == {"session": "a\u202e", "at": None, "gone": True}
