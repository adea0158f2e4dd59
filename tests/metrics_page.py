"""The tables of all metrics, as docs/monitoring.md shows them: the catalogue of `statusproxy/observe/catalogue.py`.

`.venv/bin/python -m tests.metrics_page` writes them there again; `tests/test_docs.py` fails while they are out of date.
"""

from pathlib import Path
from typing import Final

from statusproxy.observe.catalogue import PARTS, Described, Part

PAGE: Final = Path(__file__).parent.parent / "docs" / "monitoring.md"

_BEGIN: Final = "<!-- metrics -->\n"
_END: Final = "<!-- end of metrics -->"


def tables() -> str:
    """A heading and a table for each part."""
    return "".join(map(_table, PARTS)) + "\n"


def shown(page: str) -> str:
    """The tables that a page shows."""
    return page.partition(_BEGIN)[2].partition(_END)[0]


def _table(part: Part) -> str:
    about = f"\n{part.about}\n" if part.about else ""
    head = "| metric | type | labels | what it says | look at it when |\n| --- | --- | --- | --- | --- |\n"
    return f"\n### {part.title}\n{about}\n{head}" + "".join(map(_row, part.metrics))


def _row(metric: Described) -> str:
    labels = "; ".join(f"`{label}`: {values}" for label, values in metric.labels.items())
    cells = (f"`{metric.name}`", metric.kind.value, labels, metric.text.removesuffix("."), metric.when)
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n"


if __name__ == "__main__":
    old = PAGE.read_text()
    PAGE.write_text(old.replace(_BEGIN + shown(old) + _END, _BEGIN + tables() + _END))
