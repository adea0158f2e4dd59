"""No page uses a word that the project gave up: the words are short, but a reader has to guess what they mean."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]

#: Patterns of words that were given up in English pages, each with what to write instead.
ENGLISH: Final = {
    r"mend(s|ed|ing)?": "fix",
    r"troubles?": "error, problem",
    r"hearsay": "the gateway's own answer",
    r"(left|leaves?|set|put) aside": "ignored, replaced, kept under another name",
    r"believ(e|es|ed|ing)|beliefs?": "trust",
    r"hear|hears|heard": "read, receive",
    r"half-sent": "incomplete",
    r"(broke|broken|breaks?) off": "aborted",
    r"(holds?|held) up": "block",
    r"thrown away": "discarded",
    r"what became of|whatever becomes of": "what happened to, the result",
    r"told apart|tells? apart": "distinguish, identify",
    r"(tells?|told) of": "report, be about",
    r"taken for": "treated as",
    r"in mid-\w+": "during",
    r"for good": "permanently",
    r"again and again": "repeatedly",
    r"such is|such are|where none|where there is none": "a sentence with its subject first",
    r"is to be|are to be": "must be",
    r"whence|thereof|hitherto|whilst|lest|nought|spoilt": "a common word",
}

#: The same for Portuguese pages.
PORTUGUESE: Final = {
    r"laço de eventos": "event loop",
    r"porta privada": "porta de administração",
    r"remend\w+": "corrigir",
}

_BLOCK: Final = re.compile(r"^ *```.*?^ *```$|<!-- tree -->.*?<!-- end of tree -->", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`\n]+`")

PAGES: Final = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


def given_up(text: str, words: dict[str, str]) -> Iterator[str]:
    """Each word of a page that was given up: its line, the word, and what to write. Code and the tree are left out."""
    prose = _CODE.sub("`code`", _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text))
    for pattern, instead in words.items():
        for found in re.finditer(rf"\b({pattern})\b", prose, re.IGNORECASE):
            line = prose.count("\n", 0, found.start()) + 1
            yield f"line {line}: {found[0]} (write: {instead})"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_uses_a_word_that_was_given_up(page: Path) -> None:
    words = PORTUGUESE if page.parent.name == "pt-BR" else ENGLISH
    assert list(given_up(page.read_text(encoding="utf-8"), words)) == []


def test_a_word_is_found_with_its_line_but_not_in_code() -> None:
    text = "# Page\n\n`mend` stays.\n\n```\nmend\n```\n\nNobody can Mend it, or amend it.\n"
    assert list(given_up(text, ENGLISH)) == ["line 9: Mend (write: fix)"]
