"""Which shipped preset reads a list that the configured one cannot."""

import json
from typing import Any

import pytest

from statusproxy.doctor.looks.other_preset import fitting

PATH = "/instance/fetchInstances"
V2 = {"id": "1b2c", "name": "sales", "connectionStatus": "open", "token": "t"}
V1 = {"instance": {"instanceName": "sales", "status": "open"}}


def found(document: Any, preset: str | None, path: str = PATH) -> tuple[str, str] | None:
    return fitting(json.dumps(document).encode(), path, preset)


def test_the_list_of_another_version_is_known() -> None:
    assert found([V2], "evolution-v1") == ("evolution-v2", "Evolution API v2")
    assert found([V1, V1], "evolution-v2", PATH.upper()) == ("evolution-v1", "Evolution API v1")


@pytest.mark.parametrize(
    ("document", "preset", "path"),
    [
        ([V2], "evolution-v2", PATH),  # its own
        ([V2], None, PATH),
        ([V2], "/etc/statusproxy/mine.yaml", PATH),  # a preset of one's own is changed, not replaced
        ([V2], "evolution-v1", "/elsewhere"),
        ([], "evolution-v1", PATH),
        ({}, "evolution-v1", PATH),
        ([V2, {"name": "b"}], "evolution-v1", PATH),
        ([V2, {"connectionStatus": "open"}], "evolution-v1", PATH),
        ([{**V2, "connectionStatus": "zonking"}], "evolution-v1", PATH),
    ],
)
def test_in_doubt_no_other_preset_is_named(document: Any, preset: str | None, path: str) -> None:
    assert found(document, preset, path) is None
