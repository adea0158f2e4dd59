"""The alert rules as data."""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.monitoring.programs import KIT

ENGLISH: Final = KIT / "alerts.yaml"
PORTUGUESE: Final = KIT / "alerts.pt-BR.yaml"

Rule = dict[str, Any]


def read(file: Path) -> dict[str, Any]:
    """The whole file."""
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def rules(file: Path) -> dict[str, Rule]:
    """The rules by the alert's name."""
    return {rule["alert"]: rule for group in read(file)["groups"] for rule in group["rules"]}
