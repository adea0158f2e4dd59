"""A project of one room, written for a test: sources and their tests by name."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent


def project(root: Path, sources: Mapping[str, str], tests: Mapping[str, str]) -> Path:
    """Write `statusproxy/toy/NAME.py` and `tests/toy/test_NAME.py`. The project's root."""
    for folder, prefix, files in (("statusproxy/toy", "", sources), ("tests/toy", "test_", tests)):
        (root / folder).mkdir(parents=True)
        for name, text in files.items():
            (root / folder / f"{prefix}{name}.py").write_text(dedent(text))
    # No toy needs a plugin, and each of the many runs of pytest would import them all.
    (root / "pytest.ini").write_text("[pytest]\naddopts = --disable-plugin-autoload\n")
    (root / "statusproxy/__init__.py").touch()
    (root / "statusproxy/toy/__init__.py").touch()
    return root
