"""What is examined: the file as it is written, and where the service keeps its state."""

from __future__ import annotations

from pathlib import Path

from statusproxy.config.load import loads
from statusproxy.doctor.subject import Subject

SETTINGS = loads("gateway: http://127.0.0.1:3000")


def test_the_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: ${GATEWAY}\nlimits: {headers: 64}\n")
    lines = Subject(SETTINGS, file).written.with_keys("limits", tap="2MiB")
    assert lines == ("limits:", "  headers: 64", "  tap: 2MiB")
    assert Subject(SETTINGS).written.with_keys("limits", tap="2MiB") == ("limits:", "  tap: 2MiB")


def test_what_the_preset_says_of_its_gateway_is_at_hand() -> None:
    assert Subject(loads("gateway: http://127.0.0.1:3000\npreset: waha")).guidance.title == "WAHA"


def test_the_installed_services_state_is_found_from_a_shell() -> None:
    installed = Subject(SETTINGS, Path("/etc/statusproxy/config.yaml"), {"A": "b"})
    assert installed.service_environ == {"A": "b", "STATE_DIRECTORY": "/var/lib/statusproxy"}
    assert Subject(SETTINGS, environ={"A": "b"}).service_environ == {"A": "b"}


def test_without_a_running_proxy_no_store_is_known_to_work() -> None:
    assert not Subject(SETTINGS).store_works
