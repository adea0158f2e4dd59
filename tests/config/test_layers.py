"""Which file is read, and how it lies over its preset."""

import os
from pathlib import Path

import pytest

from statusproxy.config import layers
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import find_file, preset_names, read_file
from statusproxy.config.load import loads
from statusproxy.config.yaml_tree import Entries, Items, Scalar

GATEWAY = "gateway: http://gw.example:3000\n"


def test_the_environment_names_the_file_before_any_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    monkeypatch.setattr(layers, "SEARCHED", (first, second))
    assert find_file({}) is None
    second.touch()
    assert find_file({}) == second
    first.touch()
    assert find_file({}) == first
    assert find_file({"STATUSPROXY_CONFIG": "/nowhere/c.yaml"}) == Path("/nowhere/c.yaml")


def test_a_file_that_may_not_be_looked_at_is_not_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "stat", forbidden)
    monkeypatch.setattr(layers, "SEARCHED", (tmp_path / "a.yaml",))
    assert find_file({}) == tmp_path / "a.yaml"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml: the configuration file cannot be read: No such file or directory"):
        read_file(tmp_path / "c.yaml", {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_file(tmp_path, {})
    with pytest.raises(ConfigError, match="cannot be read: embedded null byte"):
        read_file(Path("a\0b"), {})


def test_a_file_that_is_not_utf_8_is_an_error_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"# one\n# caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        read_file(file, {})
    assert str(caught.value) == f"{file}:2: not UTF-8: found the byte 0xe9; save the file as UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbfgateway: x")
    assert set(read_file(file, {})[1].nodes) == {"gateway"}


def test_every_preset_loads_and_has_a_default_among_them() -> None:
    assert layers.DEFAULT_PRESET in preset_names()
    for name in preset_names():
        assert loads(f"{GATEWAY}preset: {name}").webhooks


def test_the_preset_speaks_the_language_of_its_users_unless_told_otherwise() -> None:
    assert loads(GATEWAY).language == "pt-BR"
    assert loads(GATEWAY + "language: en").language == "en"
    assert loads(GATEWAY + "preset: null").language == "en"


def test_an_override_makes_the_block_it_needs() -> None:
    layer = layers.read_text("log: nonsense", "c.yaml", {})
    _, entries = layers.with_overrides(layer, {"log.level": "debug", "a.b": "c"})
    log = entries.nodes["log"][1]
    assert isinstance(log, Entries)
    assert set(log.nodes) == {"level"}
    assert set(entries.nodes) == {"log", "a"}


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n"])
def test_a_file_without_content_is_an_empty_block(text: str) -> None:
    assert layers.read_text(text, "c.yaml", {})[1] == Entries({})


def test_where_a_file_is_looked_for_is_told_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "SEARCHED", (Path("a.yaml"), Path("/b.yaml")))
    assert layers.searched() == "$STATUSPROXY_CONFIG, a.yaml, /b.yaml"


def test_what_is_no_mapping_is_no_configuration_and_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        layers.read_text("hunter2", "c.yaml", {})
    assert str(caught.value) == "c.yaml:1: found a text; allowed: a mapping such as gateway: http://127.0.0.1:3000"


def test_a_list_of_the_command_line_takes_the_place_of_the_files() -> None:
    layer = layers.read_text("listen: :1", "c.yaml", {})
    _, entries = layers.with_overrides(layer, {"listen": [":2", ":3"]})
    mark, node = entries.nodes["listen"]
    assert str(mark) == "--listen"
    assert isinstance(node, Items)
    assert [each.text for _, each in node.nodes if isinstance(each, Scalar)] == [":2", ":3"]


@pytest.mark.parametrize(
    ("written", "events"),
    [("gateway: x", True), ("preset: gateway-wrapper", True), ("preset: null", False)],
)
def test_a_preset_lies_below_the_file_unless_it_is_null(written: str, events: bool) -> None:
    _, entries = layers.with_preset(layers.read_text(written, "c.yaml", {}))
    assert ("events" in entries.nodes) is events


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'preset: found "gateway_wrapper"; .*did you mean "gateway-wrapper"'):
        layers.with_preset(layers.read_text("preset: gateway_wrapper", "c.yaml", {}))


def test_a_preset_that_is_read_once_stays_as_it_was_whatever_lies_over_it() -> None:
    written = """
    preset_without: [/v1/webhooks/receive]
    webhooks: [{path: /in}]
    channels: [{path: /api/channels, keep: [closed]}]
    events: [{event: status-find, session: id, means: connected}]
    reconnect: {qr: GET /qr/{session}}
    """
    layers.with_preset(layers.read_text(written, "c.yaml", {}))
    kept = layers.read_preset(layers.DEFAULT_PRESET)
    assert kept is layers.read_preset(layers.DEFAULT_PRESET)
    layers.read_preset.cache_clear()
    assert kept == layers.read_preset(layers.DEFAULT_PRESET)
