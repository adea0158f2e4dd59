"""No page, and no text or comment of the program, uses a word that the project gave up: a reader has to guess it."""

import ast
import io
import re
import tokenize
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

#: More that were given up in what the program says. Pages may quote other programs, or have them in other senses.
SAID: Final = {
    r"anew": "again",
    r"takes? no|(does|do) not take": "does not accept",
    r"(is|are) no JSON": "is not JSON",
    r"so that (no|nothing)": "so no, so nothing",
    r"all the same": "anyway",
    r"the very": "the same",
    r"as you said": "as given",
    r"none of its own": "a sentence with its subject first",
    r"stands (in this|there|here)": "is",
}

#: Vocabulary of gateways, not of the program, and Portuguese texts.
_NOT_OURS: Final = {"learning/words.py", "learning/members.py", "doctor/words/pt_br.py", "alerts/words/pt_br.py"}
_PROGRAM: Final = ROOT / "statusproxy"
TEXTS: Final = sorted(
    (
        *(each for each in _PROGRAM.rglob("*.py") if each.relative_to(_PROGRAM).as_posix() not in _NOT_OURS),
        *_PROGRAM.rglob("*.yaml"),
        _PROGRAM / "admin/page/english.js",
        ROOT / "config.yaml",
        ROOT / "Makefile",
        *(ROOT / "systemd").glob("install.sh"),
    )
)

#: The files whose comments and docstrings are read.
SOURCES: Final = [each for each in TEXTS if each.suffix == ".py"]

PAGES: Final = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


def may_use(text: str, words: dict[str, str]) -> bool:
    """Whether any of the words is in a text, its code included."""
    return re.search(rf"\b(?:{'|'.join(words)})\b", text, re.IGNORECASE) is not None


def given_up(text: str, words: dict[str, str]) -> Iterator[str]:
    """Each word of a page that was given up: its line, the word, and what to write. Code and the tree are left out."""
    if not may_use(text, words):
        return  # nearly all: the words one by one take twenty times as long
    prose = _CODE.sub("`code`", _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text))
    for pattern, instead in words.items():
        for found in re.finditer(rf"\b({pattern})\b", prose, re.IGNORECASE):
            line = prose.count("\n", 0, found.start()) + 1
            yield f"line {line}: {found[0]} (write: {instead})"


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """What a file of the program may show people: sentences and help texts of Python, each line of other files."""
    source = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    tree = ast.parse(source)
    inside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and id(node) not in inside
        ):
            yield node.lineno, node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_command(node):
            yield node.lineno, ast.get_docstring(node) or ""


def remarks(source: str) -> str:
    """The comments and docstrings of a Python file, those of attributes too, on their lines; the rest is empty."""
    lines = [""] * (source.count("\n") + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for line, text in enumerate(node.value.value.split("\n"), node.lineno - 1):
                lines[line] = f"{text} {lines[line]}"
    return "\n".join(lines)


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(".command(" in ast.unparse(each) for each in node.decorator_list)


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_text_of_the_program_uses_a_word_that_was_given_up(file: Path) -> None:
    words = {**ENGLISH, **SAID}
    found = [f"{line}: {each}" for line, text in texts(file) for each in given_up(text, words)]
    assert found == []


def test_strings_and_help_texts_are_shown_but_docstrings_are_not(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        '"""Mend."""\nNAME = "mend this"\n@main.command()\ndef run():\n    """Mend a proxy."""\n'
        'def other():\n    """Mend."""\n'
    )
    assert sorted(texts(file)) == [(2, "mend this"), (4, "Mend a proxy.")]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_comment_and_no_docstring_uses_a_word_that_was_given_up(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    if may_use(source, ENGLISH):  # most do not: to read the comments takes eight times as long
        assert list(given_up(remarks(source), ENGLISH)) == []


def test_a_comment_and_a_docstring_are_found_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        '"""A module.\n\nIt can `mend`, or Mend.\n"""\n\nmend = "mend this"  # mended\n"""What mends it."""\n\n\n'
        'def mends():\n    """A mending."""  # or mends\n'
    )
    assert sorted(given_up(remarks(file.read_text()), ENGLISH)) == [
        "line 11: mending (write: fix)",
        "line 11: mends (write: fix)",
        "line 3: Mend (write: fix)",
        "line 6: mended (write: fix)",
        "line 7: mends (write: fix)",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_uses_a_word_that_was_given_up(page: Path) -> None:
    words = PORTUGUESE if page.parent.name == "pt-BR" else ENGLISH
    assert list(given_up(page.read_text(encoding="utf-8"), words)) == []


def test_a_word_is_found_with_its_line_but_not_in_code() -> None:
    text = "# Page\n\n`mend` stays.\n\n```\nmend\n```\n\nNobody can Mend it, or amend it.\n"
    assert list(given_up(text, ENGLISH)) == ["line 9: Mend (write: fix)"]
