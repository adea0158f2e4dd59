"""Which changes are made to a source, and which are not."""

import ast

import pytest

from tests.quality.mutations import mutate, mutations


def changes(text: str) -> list[str]:
    return [f"{one.before} -> {one.after}" for one in mutations(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(a, b): a < b", ["a < b -> a <= b"]),
        ("def f(a, b): a in b is not a", ["a in b is not a -> a not in b is not a", "a in b is not a -> a in b is a"]),
        ("def f(a, b): a and b", ["a and b -> a or b"]),
        ("def f(a): not a", ["not a -> a"]),
        ("def f(a, b): a // b", ["a // b -> a * b"]),
        ("x = 4, True, 'a', b'c', '', None", ["4 -> 5", "True -> False", "'a' -> 'a?'", "b'c' -> b'c?'"]),
        ("def f(a): return a", ["return a -> return None"]),
        ("def f(a): return None", []),
        ("def f(a): a()", ["a() -> pass"]),
        ("async def f(a): await a", ["await a -> pass"]),
        ("def f(a): a.b = a", ["a.b = a -> pass"]),
        ("def f(a): a += a", ["a += a -> pass"]),
        ("def f(a): raise a", ["raise a -> pass"]),
        ("def f(a):\n for b in a: continue", ["continue -> pass"]),
        ("def f(a):\n if a: b = a", ["a -> not a"]),
        ("def f(a): b = a if a else b", ["a -> not a"]),
        ("def f(a=4): b = a", ["4 -> 5"]),
        ("MOST = 64\ndef f(a, b): a < b <= MOST", ["a < b <= MOST -> a <= b <= MOST"]),
        ("MOST = 64\ndef f(a): a == MOST", ["a == MOST -> a != MOST"]),
        ("MOST = 4\ndef f(a): a < MOST", ["4 -> 5", "a < MOST -> a <= MOST"]),
    ],
)
def test_every_kind_of_change_is_made(text: str, expected: list[str]) -> None:
    assert changes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '"""Words."""',
        "def f():\n '''Words.'''",
        "def f(a: 'A' = None, *b: 'B') -> 'C': pass",
        "class A(B, frozen=True):\n __slots__ = ('a',)\n a: Literal['x']",
        "@cache(4)\ndef f(): pass",
        "def f(log): log.info('words %s', 4)",
        "def f(self): self._log.warning('words')",
        "def f(): assert 4 < 5",
        "class A:\n def __repr__(self): return str(4)",
        "__all__ = ['a']",
        "if TYPE_CHECKING:\n A = 4",
        "A: TypeAlias = 'B'",
        "T = TypeVar('T')",
        "Entry = A | B | None",
        "from a import b",
        "x = f'words'",
        "BYTES: Final = 32 * 1024 * 1024",
        "ENTRIES = 64",
        "def f(): a = b < 4  # pragma: no cover",
        "a = b.encode('ascii')",
        "ENTRIES: Final = 64\ndef f(a): b = len(a) > ENTRIES",
    ],
)
def test_what_nobody_notices_is_left_as_it_is(text: str) -> None:
    assert changes(text) == []


def test_an_exceptions_words_stay_while_it_may_go() -> None:
    assert changes("def f(): raise ValueError('words')") == ["raise ValueError('words') -> pass"]


def test_a_change_knows_its_lines_and_the_outermost_function_around_it() -> None:
    text = "class A:\n @property\n def f(self):\n  def g(): return (1 <\n   2)\n  return g\nB = 4\n"
    told = {one.before: (one.line, one.last_line, one.function) for one in mutations(text)}
    assert told["1 < 2"] == (4, 5, ("A.f", 2))
    assert told["return g"] == (6, 6, ("A.f", 2))
    assert told["4"] == (7, 7, None)


def test_a_jump_is_reached_with_the_test_before_it() -> None:
    (told,) = [one for one in mutations("def f(a):\n for b in a:\n  if b:\n   break\n") if one.before == "break"]
    assert (told.line, told.first_line, told.last_line) == (4, 3, 4)


def test_each_number_stands_for_one_change_of_the_file() -> None:
    text = "def f(a, b):\n    if a < b:\n        a.go()\n    return a + 1\n"
    found = mutations(text)
    assert len({ast.unparse(mutate(text, one.number)) for one in found}) == len(found) == 5
    for one in found:
        changed = ast.unparse(mutate(text, one.number))
        assert changed != ast.unparse(ast.parse(text))
        assert one.after in changed
    with pytest.raises(ValueError, match="no mutation 99"):
        mutate(text, 99)


def test_a_change_is_told_in_one_short_line() -> None:
    (one,) = mutations(f"def f(a):\n    a(\n        {'b' * 80},\n    )\n")
    assert str(one) == f"2: statement removed: a({'b' * 67}… -> pass"
