"""The entries of `channels` in a draft: written, or a skeleton with what to fill in."""

from typing import Any

import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import Channels
from statusproxy.learning.channel_draft import entries
from statusproxy.learning.observation import Observation

LINE = {"no": 4711, "link": {"now": "UP"}}


def drafted(answer: Any, route: str = "/v3/lines", *events: Any) -> str:
    seen = Observation()
    if answer is not None:
        seen.answer(route, answer, written=True)
    for event in events:
        seen.event(event)
    return "".join(entries(seen))


def in_force(text: str) -> Channels:
    """The first entry, in force."""
    return loads(f"gateway: http://gateway.example\npreset: null\n{text}").channels[0]


def uncommented(text: str) -> str:
    lines = text.splitlines(keepends=True)
    start = lines.index("# channels:\n")
    return "".join(line.removeprefix("# ") for line in lines[start : start + 6])


def test_ids_that_are_numbers_are_found_in_events_as_numbers_and_as_digits() -> None:
    for told in (4711, 4711.0, "4711"):
        text = drafted({"lines": [LINE]}, "/v3/lines", {"what": "link", "peer": told, "now": "down"})
        assert '    id: ["no"]    # 100% in events\n' in text
        assert "    set: {link.now: down}    # TODO: guessed; UP 1\n    connected: [UP]\n" in text
        assert in_force(text).id == ("no",)


def test_numbers_that_could_be_times_are_ids_all_the_same() -> None:
    lines = [{"no": 1_700_004_711, "status": "open"}, {"no": 1_700_004_712, "status": "open"}]
    assert '    id: ["no"]    # TODO: guessed by its name\n' in drafted(lines)


def test_where_no_list_came_the_entry_is_a_skeleton_to_fill_in() -> None:
    text = drafted(None)
    assert text.startswith("# channels: TODO: no answer with a list of sessions was seen.")
    entry = in_force(uncommented(text))
    assert (entry.path, entry.list, entry.id) == ("/api/sessions", ("sessions",), ("id",))


@pytest.mark.parametrize(
    ("answer", "missing", "ids", "sets"),
    [
        ({"rows": [{"no": 1, "zone": "x"}]}, "a member that tells a state", "no", {"status": "disconnected"}),
        (
            {"rows": [{"state": "open"}, {"state": "closed"}]},
            "a member that tells the sessions apart",
            "id",
            {"state": "closed"},
        ),
    ],
)
def test_a_list_that_is_not_understood_is_a_skeleton_with_what_is_known(
    answer: Any, missing: str, ids: str, sets: dict[str, str]
) -> None:
    text = drafted(answer, "/rows")
    assert text.startswith("# The answers that are corrected.\n# /rows: 1 answer, without " + missing + "; members: ")
    entry = in_force(uncommented(text))
    assert (entry.path, entry.list, entry.id, dict(entry.set)) == ("/rows", ("rows",), (ids,), sets)


def test_a_route_with_a_hidden_segment_is_a_comment_and_one_that_is_cut_an_entry() -> None:
    answer = {"lines": [{"id": "sales", "status": "open"}]}
    assert "# TODO: {_} is a segment that is not shown" in drafted(answer, "/a/{_}/b")
    assert drafted(answer, "/a/{_}/b").count("channels:\n") == 0
    assert in_force(drafted({"status": "open"}, "/a/{session}:{_}")).path == "/a/{session}:{_}"


def test_flags_and_words_that_say_it_already() -> None:
    lost = {"id": "b", "connected": False, "status": "down"}
    text = drafted([{"id": "a", "connected": True, "status": "open"}, lost])
    assert "    set: {connected: false, status: down}" in text
    assert "    keep: [down]" in text
    assert in_force(text).list == ("",)


@pytest.mark.parametrize("route", ["/a/{session}/qr", "/a/{session}/qr-code", "/a/{session}/qrCode"])
def test_an_answer_with_a_qr_code_is_not_corrected(route: str) -> None:
    text = drafted({"id": "sales", "status": "QRCODE"}, route)
    assert text.startswith("# channels: TODO: no answer with a list of sessions was seen.")
