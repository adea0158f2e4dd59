"""Starting the proxy for the demonstration, and saying plainly when it does not start."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from statusproxy.demo.proxy import Proxy, ProxyFailedError, configuration, free_port


def test_a_port_somebody_listens_on_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        assert free_port(wanted) not in (wanted, 0)
    assert free_port(wanted) == wanted


def test_the_configuration_watches_both_legs_and_keeps_the_map_on_disk(tmp_path: Path) -> None:
    settings = configuration("http://127.0.0.1:3000", 8090, 8091, tmp_path / "state.db")
    assert [entry["path"] for entry in settings["webhooks"]] == ["/v1/webhooks/receive", "/hub/webhook"]
    assert settings["state"] == {"url": f"sqlite:///{tmp_path / 'state.db'}"}


async def test_a_proxy_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('cannot listen')\n")
    program.chmod(0o755)
    settings = configuration("http://127.0.0.1:3000", free_port(), free_port(), tmp_path / "state.db")
    with pytest.raises(ProxyFailedError, match="exit code 1\ncannot listen"):
        await Proxy(settings, tmp_path, python=str(program)).start()
