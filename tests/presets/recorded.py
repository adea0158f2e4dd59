"""Webhook bodies as real gateways sent them, kept beside this file: one folder a gateway, one JSON document a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def recorded(gateway: str, name: str) -> list[dict[str, Any]]:
    """The bodies in one file, in the order in which they came."""
    lines = (Path(__file__).parent / gateway / f"{name}.jsonl").read_text("utf-8").splitlines()
    documents = (json.loads(line) for line in lines)
    return [document["body"] for document in documents if "body" in document]
