"""The pictures of the README, made by `make pictures`: a drawing, a recording of the demo, and the status page."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
"""Where the pictures are kept."""
