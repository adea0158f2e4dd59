"""How a page's blocks are found, and when what was printed is what the page promises."""

import pytest

from tests.docs.pages import blocks, matches, steps

PAGE = """# Page

```console
$ first
printed
$ second \\
    --more
```

## Part

### Roll back

```bash
# not a heading
third
```

```text
printed …
```

```bash
fourth
```

## Next

```yaml
listen: :8090
```
"""


def test_a_block_knows_its_headings_and_its_line() -> None:
    assert [(block.language, block.line, block.headings) for block in blocks(PAGE)] == [
        ("console", 3, ("Page",)),
        ("bash", 14, ("Page", "Part", "Roll back")),
        ("text", 19, ("Page", "Part", "Roll back")),
        ("bash", 23, ("Page", "Part", "Roll back")),
        ("yaml", 29, ("Page", "Next")),
    ]


def test_a_step_is_a_prompt_s_line_or_a_whole_box_and_what_it_prints() -> None:
    assert [(step.command, step.prints) for step in steps(PAGE)] == [
        ("first", "printed\n"),
        ("second \\\n    --more", None),
        ("# not a heading\nthird\n", "printed …\n"),
        ("fourth\n", None),
    ]


@pytest.mark.parametrize(
    ("promised", "printed", "held"),
    [
        ("a\n", "a\n", True),
        ("a\n", "a", True),
        ("a\n", "ab\n", False),
        ("a…\n", "ab\n", True),
        ("a…\n", "a\nb\n", False),
        ("a\n…\n", "a\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nb\nc\n", False),
        ("a.b\n", "a-b\n", False),
        ("…\n…\n", "\n405\n", True),
    ],
)
def test_an_ellipsis_is_anything_in_a_line_and_any_lines_alone(promised: str, printed: str, held: bool) -> None:
    assert matches(promised, printed) is held
