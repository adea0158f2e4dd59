"""What is wrong with a configuration is one line, which advises only options that the command has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import call, written


@pytest.mark.parametrize("command", ["check", "run", "sessions"])
@pytest.mark.parametrize(
    ("text", "says"),
    [("gatway: http://127.0.0.1:3000", 'did you mean "gateway"?'), ("gateway: [", "config.yaml"),
     ("gateway: http://127.0.0.1:3000\nlimits: {head: much}", "limits.head")],
)  # fmt: skip
def test_a_broken_configuration_is_one_line_and_exit_code_2(command: str, text: str, says: str, tmp_path: Path) -> None:
    result = call(command, "--config", written(tmp_path, text))
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert says in line
    assert "config.yaml" in line


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    result = call("check", "--config", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml" in result.stderr


@pytest.mark.parametrize(
    ("command", "ends"),
    [("try --qr x", "write one, or give --preset"),
     ("backup x", "write one"), ("check", "write one, or give --gateway"), ("run", "write one, or give --gateway")],
)  # fmt: skip
@pytest.mark.skipif(Path("/etc/statusproxy/config.yaml").exists(), reason="this host is configured")
def test_no_command_advises_an_option_that_it_lacks(
    command: str, ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STATUSPROXY_CONFIG", raising=False)
    result = call(*command.split())
    assert result.exit_code == 2
    assert result.stderr.endswith(f"; {ends}\n")
    result = call(*command.split(), "-c", written(tmp_path, "language: en"))
    assert result.exit_code == 2
    assert ("--gateway" in result.stderr) == (command in ("check", "run"))
