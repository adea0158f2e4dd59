"""Which test file is whose: `statusproxy/ROOM/x.py` is tested by `tests/ROOM/test_x.py`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "statusproxy"


def sources(room: str = "", root: Path = ROOT) -> list[Path]:
    """The source files of a room ("" for all, "proxy/http1" for one within another), below `root`, sorted.

    A room may also be a single file ("proxy/exchange.py"). Raises ValueError where there is none of that name.
    """
    place = root / PACKAGE / room
    found = [place] if place.is_file() else sorted(place.rglob("*.py"))
    if not found:
        raise ValueError(f"{PACKAGE}/{room} holds no source file")
    return [path.relative_to(root) for path in found]


def own_test(source: Path) -> Path:
    """The test file of a source file; that of `ROOM/__init__.py` is `test_init.py`, of `__main__.py` `test_main.py`."""
    return Path("tests", *source.parts[1:-1], f"test_{source.stem.strip('_')}.py")


def module(source: Path) -> str:
    """The name under which a source file is imported."""
    parts = source.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
