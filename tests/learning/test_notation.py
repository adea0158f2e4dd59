"""Names, words and counts as a draft writes them."""

import pytest
import yaml

from statusproxy.learning import notation


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("linkState", "linkState"),
        ("/api/{session}:{_}/**", '"/api/{session}:{_}/**"'),
        ("/api/{session}/**", "/api/{session}/**"),
        ("no", '"no"'),
        ("NULL", '"NULL"'),
        ("5", '"5"'),
        ("", '""'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("a: b", '"a: b"'),
    ],
)
def test_a_text_is_quoted_where_it_would_be_something_else(text: str, written: str) -> None:
    assert notation.scalar(text) == written
    assert notation.is_plain(text) == ((written == text and not text.startswith("/")) or text in ("no", "NULL"))
    assert yaml.safe_load(f"a: {written}") == {"a": text}


def test_paths_and_words_are_lists() -> None:
    assert notation.paths([("a", "b"), ("no",), ()]) == '[a.b, "no", ""]'
    assert notation.flow(["up", "on"]) == '[up, "on"]'


def test_counts_are_words() -> None:
    assert (notation.events(1), notation.answers(2)) == ("1 event", "2 answers")
    assert notation.counted({"up": 2, "down": 1}) == "up 2, down 1"
    assert notation.of({"up": 2, "down": 1}, ["down"]) == "down 1"


def test_a_segment_that_is_cut_is_shown_in_part() -> None:
    assert [notation.hides(path) for path in ("/a/{_}", "/a/{session}:{_}", "/a")] == [True, False, False]
