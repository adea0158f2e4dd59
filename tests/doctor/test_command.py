"""The `doctor` command: its options, its language, its exit codes; and the secret's way in, never out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from statusproxy.cli.commands import main
from statusproxy.config.layers import about
from statusproxy.doctor import command
from statusproxy.doctor.command import SECRET_VARIABLE
from tests.ports import free_port


def call(folder: Path, *arguments: str, **environ: str) -> Result:
    file = folder / "config.yaml"
    if not file.exists():
        ports = [free_port() for _ in range(3)]
        file.write_text(
            f"listen: 127.0.0.1:{ports[0]}\ngateway: http://127.0.0.1:{ports[1]}\n"
            f"admin: {{listen: '127.0.0.1:{ports[2]}'}}\nstate: {{url: 'sqlite:///{folder}/state.db'}}\n"
        )
    environment = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "C", SECRET_VARIABLE: "", **environ}
    return CliRunner().invoke(main, ["doctor", "--config", str(file), *arguments], env=environment)


def test_a_gateway_that_is_down_ends_it_with_2(tmp_path: Path) -> None:
    result = call(tmp_path, "--language", "en")
    assert result.exit_code == 2, result.output
    assert "no connection to http://127.0.0.1:" in result.stdout


def test_json_is_one_object(tmp_path: Path) -> None:
    document = json.loads(call(tmp_path, "--json").stdout)
    assert document["status"] == "problem"
    assert {"level", "code", "text", "fix", "facts"} == set(document["findings"][0])


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "pt_BR.UTF-8"}, "pt-BR"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "pt_PT"}, "pt-BR"),
        ({"LANG": "pt_BR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": ""}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_terminals_language_counts_and_never_the_configurations(
    environ: dict[str, str], language: str, tmp_path: Path
) -> None:
    assert json.loads(call(tmp_path, "--json", **environ).stdout)["language"] == language


def test_without_a_file_it_asks_for_one_and_points_at_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STATUSPROXY_CONFIG", raising=False)
    monkeypatch.setattr("statusproxy.config.layers.SEARCHED", (Path("config.yaml"),))
    result = CliRunner().invoke(main, ["doctor", "--language", "en"])
    assert result.exit_code == 2
    assert "no configuration file found (looked at $STATUSPROXY_CONFIG, config.yaml)" in result.stdout
    assert "statusproxy init" in result.stdout
    assert "that line" not in result.stdout


def test_a_broken_configuration_ends_it_with_2_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway: [")
    result = call(tmp_path)
    assert result.exit_code == 2
    assert "config.yaml:1" in result.stdout


@pytest.mark.parametrize("content", ["two\nlines", "bell\x07"])
def test_a_secret_that_cannot_be_sent_is_refused_unseen(content: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    result = call(tmp_path, "--secret-file", str(file))
    assert result.exit_code == 2
    assert "is not one line of text" in result.stderr
    assert "lines" not in result.output + result.stderr


def test_a_header_that_is_none_is_refused(tmp_path: Path) -> None:
    result = call(tmp_path, "--secret-header", "X Secret:", **{SECRET_VARIABLE: "planted"})
    assert result.exit_code == 2
    assert "planted" not in result.output + result.stderr


def test_a_secret_in_the_configuration_shows_nowhere(tmp_path: Path) -> None:
    call(tmp_path)
    file = tmp_path / "config.yaml"
    secrets = "secret: {header: X-S, value: planted-1}, hmac: {header: X-H, secret: planted-2}, "
    secrets += "jwt: {secret: planted-3}, token: {field: apikey, value: planted-4}"
    file.write_text(file.read_text() + f"webhooks: [{{path: /in, {secrets}}}]\n")
    for form in ((), ("--json",)):
        assert "planted" not in call(tmp_path, *form, "--secret-header", "planted-1").stdout


@pytest.mark.parametrize(
    ("preset", "given", "sent"),
    [
        ("gateway-wrapper", None, (b"X-Gateway-Secret", b"hush")),
        ("evolution-v2", None, (b"apikey", b"hush")),
        ("wppconnect-server", None, (b"Authorization", b"Bearer hush")),
        ("wppconnect-server", "Authorization", (b"Authorization", b"hush")),
        ("gowa", None, (b"X-Gateway-Secret", b"hush")),
        (None, None, (b"X-Gateway-Secret", b"hush")),
    ],
)
def test_the_secret_goes_as_the_preset_says_unless_a_header_is_named(
    preset: str | None, given: str | None, sent: tuple[bytes, bytes]
) -> None:
    assert command._credentials(given, "hush", about(preset)).fields == [sent]
