"""What `statusproxy try` prints for recorded and made-up traffic."""

from pathlib import Path

import pytest

from tests.rehearsal.golden import goldens, played, promised

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("file", goldens(FOLDER), ids=lambda file: file.stem)
def test_it_prints_what_is_recorded(file: Path) -> None:
    assert played(file) == promised(file)
