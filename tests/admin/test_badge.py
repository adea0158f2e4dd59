"""The badge: an SVG that any browser shows and nothing in it runs, whatever the session's id holds."""

from xml.etree import ElementTree as ET

import pytest

from statusproxy.admin import badge as module
from statusproxy.admin.badge import LONGEST, badge
from statusproxy.admin.state_words import SHORT
from statusproxy.status.session_state import SessionState

SVG = "{http://www.w3.org/2000/svg}"


def drawn(session: str, state: SessionState | None = SessionState.CONNECTED, language: str = "en") -> ET.Element:
    return ET.fromstring(badge(session, state, language))


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("state", [*SessionState, None])
def test_it_says_the_session_and_its_state_also_to_who_cannot_see_it(state: SessionState | None, language: str) -> None:
    picture = drawn("sales", state, language)
    word = module._NOT_KNOWN[language] if state is None else SHORT[language][state]
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == picture.findtext(f"{SVG}title") == f"sales: {word}"
    assert [text.text for text in picture.iter(f"{SVG}text")] == ["sales", word]


@pytest.mark.parametrize(
    "session",
    [
        "<script>alert(1)</script>",
        '" onload="alert(1)',
        "a&b",
        "]]>",
        "\x00\x1b[31m",
        "\ud800",
        "\ufffe",
        "\u202e",
    ],
    ids=ascii,
)
def test_whatever_an_id_holds_is_only_shown(session: str) -> None:
    picture = drawn(session)
    tags = {element.tag.removeprefix(SVG) for element in picture.iter()}
    assert tags == {"svg", "title", "rect", "path", "g", "text"}
    names = {name for element in picture.iter() for name in element.attrib}
    assert not any(name.startswith("on") or name.endswith("href") for name in names)


def test_a_long_id_is_cut() -> None:
    (label, _) = drawn("x" * 5_000).iter(f"{SVG}text")
    assert label.text == "x" * (LONGEST - 1) + "…"
    (label, _) = drawn("x" * LONGEST).iter(f"{SVG}text")
    assert label.text == "x" * LONGEST
    assert len(badge("\x00" * 5_000, None, "en")) < 2_000


def test_wide_characters_have_room() -> None:
    assert int(drawn("日本").get("width", "")) > int(drawn("ab").get("width", ""))


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("state", SessionState)
def test_its_words_can_be_read(state: SessionState) -> None:
    lighter, darker = sorted(map(_luminance, module._COLOURS[state]), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
