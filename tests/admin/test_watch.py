"""What watching sessions shows: one screen, or lines and documents of what changed."""

import json
from typing import Any

from statusproxy.admin.messages import Session, Sessions
from statusproxy.admin.watch import by_name, changes, drawn, json_line, picture, text_line

AT = "12:00:00"


def a_session(name: str, **members: Any) -> Session:
    return Session(session=name, **({"shows": "gateway"} | members))


LOST = a_session(
    "sales", shows="disconnected", shown_at="x", since="2026-01-15T12:00:00.000Z", reason="status-find browserClose"
)


def test_a_picture_fits_the_height_of_the_window() -> None:
    answer = Sessions(sessions=[a_session(f"unit {number}") for number in range(50)])
    head, empty, title, *rows, more = picture(answer, None, AT, 10)
    assert (head, empty, title.split()[0]) == ("Live, 12:00:00. Ctrl-C ends it.", "", "SESSION")
    assert (len(rows), rows[0].split("  ")[0]) == (6, "unit 0")
    assert more == "… and 44 lines more; a taller window shows them"
    whole = picture(answer, None, AT, 53)
    assert (len(whole), whole[-1].split("  ")[0]) == (53, "unit 49")
    assert picture(answer, None, AT, 1)[-1] == "… and 51 lines more; a taller window shows them"


def test_a_picture_is_drawn_over_the_one_before_and_fits_the_width_of_the_window() -> None:
    assert drawn(["abcdef", "", "abcde"], 5) == "\x1b[Habcd…\x1b[K\r\n\x1b[K\r\nabcde\x1b[K\x1b[J"
    assert drawn(["営業の人"], 8) == "\x1b[H営業の人\x1b[K\x1b[J"
    assert drawn(["営業の人"], 7) == "\x1b[H営業の…\x1b[K\x1b[J"
    assert drawn(["営業の人"], 6) == "\x1b[H営業…\x1b[K\x1b[J"


def test_a_picture_says_since_when_it_is_not_live_and_why_and_keeps_the_rest() -> None:
    lines = picture(Sessions(sessions=[LOST]), "no \x1b[31manswer", AT, 10)
    assert lines[0] == r"NOT LIVE, as of 12:00:00: no \x1b[31manswer"
    assert lines[3].startswith("sales    –      disconnected  ")
    assert picture(None, "no answer", AT, 10) == ["NOT LIVE, as of 12:00:00: no answer", ""]


def test_until_a_list_passes_the_channels_of_the_last_one_stay() -> None:
    before = {"front": a_session("front", listed=True), "old": a_session("old"), "sales": a_session("sales")}
    started = Sessions(sessions=[LOST])
    assert by_name(started, before) == {"front": before["front"], "sales": LOST}
    assert by_name(Sessions(sessions=[LOST], list_seen_at="x"), before) == {"sales": LOST}


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
    assert text_line(AT, "sales ", None) == '12:00:00  "sales "  gone'


def test_a_change_is_one_document_with_its_time() -> None:
    line = json_line("2026-01-15T12:00:00.000Z", "sales", LOST)
    document = json.loads(line)
    assert (document["session"], document["shows"], document["at"]) == (
        "sales", "disconnected", "2026-01-15T12:00:00.000Z",
    )  # fmt: skip
    odd = json_line(None, "a\u202e", None)
    assert odd.isprintable()
    assert json.loads(odd) == {"session": "a\u202e", "at": None, "gone": True}
