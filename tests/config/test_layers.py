# ruff: noqa: E501 - error messages stand whole, as a person reads them
"""Which file is read, and how it lies over its preset."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from statusproxy.config import layers
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import find_file, preset_names, read_file
from statusproxy.config.load import dump, load, loads
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
        assert loads(f"{GATEWAY}preset: {name}").channels


def test_what_holds_at_every_gateway_is_no_preset(tmp_path: Path) -> None:
    assert layers.EVERY_GATEWAY not in preset_names()
    allowed = ", ".join(preset_names())
    with pytest.raises(ConfigError, match=f'found "_every_gateway"; allowed: {allowed}, or a file'):
        loads(f"{GATEWAY}preset: {layers.EVERY_GATEWAY}")


@pytest.mark.parametrize(
    ("text", "event", "time"),
    [
        ("preset: null", ["event"], ["timestamp", "raw.payload.t"]),
        ("preset: wuzapi", ["type"], []),
        ("preset: wuzapi\ndialect: {time: at}", ["type"], ["at"]),
        ("preset: wuzapi\ndialect: {}", ["event"], ["timestamp", "raw.payload.t"]),
        ("preset: null\ndialect: {event: kind}", ["kind"], ["timestamp", "raw.payload.t"]),
    ],
)
def test_what_holds_at_every_gateway_stands_below_file_and_preset(text: str, event: list[str], time: list[str]) -> None:
    dialect = loads(f"{GATEWAY}{text}").dialect
    assert (list(dialect.event), list(dialect.time)) == (event, time)


@pytest.mark.parametrize("text", ["5", "[event]", "null"])
def test_a_dialect_that_is_no_mapping_is_refused_as_it_stands(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"config.yaml:2: dialect: found .*; allowed: a mapping of event, raw_event, "
    ):
        loads(f"{GATEWAY}dialect: {text}")


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
    for name in (layers.DEFAULT_PRESET, layers.EVERY_GATEWAY):
        kept = layers.built_in(name)
        assert kept is layers.built_in(name)
        layers.built_in.cache_clear()
        assert kept == layers.built_in(name)


# Presets in files


def preset(directory: Path, name: str, text: str) -> Path:
    """A preset's file."""
    path = directory / name
    path.write_text(text)
    return path


def refused(directory: Path, text: str) -> str:
    """The error about `mine.yaml` in a directory, which has this text; paths without the directory."""
    preset(directory, "mine.yaml", text)
    config = preset(directory, "config.yaml", GATEWAY + "preset: ./mine.yaml")
    with pytest.raises(ConfigError) as caught:
        load(config, environ={})
    return str(caught.value).replace(f"{directory}/", "")


@pytest.mark.parametrize("name", ["./mine.yaml", "mine.yaml", "presets/../mine.yaml", "{}/mine.yaml"])
def test_a_preset_may_be_a_file_beside_the_configuration(tmp_path: Path, name: str) -> None:
    (tmp_path / "presets").mkdir()
    preset(tmp_path, "mine.yaml", "webhooks: [{path: /mine}]\nlanguage: pt-BR\nabout: {title: Mine}")
    settings = load(preset(tmp_path, "config.yaml", f"{GATEWAY}preset: {name.format(tmp_path)}"), environ={})
    assert ([webhook.path for webhook in settings.webhooks], settings.language) == (["/mine"], "pt-BR")
    assert settings.preset == str(tmp_path / "mine.yaml")
    assert loads(dump(settings)) == settings


def test_a_preset_of_the_command_line_is_a_file_beside_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    preset(tmp_path, "mine.yaml", "language: pt-BR")
    config = preset(tmp_path / "etc", "config.yaml", GATEWAY + "preset: null")
    monkeypatch.chdir(tmp_path)
    assert load(config, {"preset": "./mine.yaml"}, {}).language == "pt-BR"


def test_presets_build_on_one_another(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    preset(tmp_path / "base", "base.yaml", "extends: gateway-wrapper\npreset_without: /api/available-sessions")
    text = "extends: base/base.yaml\nevents: [{event: connection.update, transient: [connecting]}]"
    preset(tmp_path, "mine.yaml", text)
    settings = load(preset(tmp_path, "config.yaml", GATEWAY + "preset: ./mine.yaml"), environ={})
    built_in = loads(GATEWAY)
    assert settings.events == (replace(built_in.events[0], transient=("connecting",), grace=90.0), *built_in.events[1:])
    assert settings.channels == built_in.channels[:2]
    assert settings.preset_without == ()


def test_a_preset_in_a_file_takes_variables_as_the_configuration_does(tmp_path: Path) -> None:
    preset(tmp_path, "mine.yaml", "webhooks: [{path: /in, forward_to: '${HUB}'}]")
    config = preset(tmp_path, "config.yaml", GATEWAY + "preset: ./mine.yaml")
    (webhook,) = load(config, environ={"HUB": "http://hub.example/in"}).webhooks
    assert webhook.forward_to == "http://hub.example/in"


def test_a_preset_is_read_again_with_the_configuration(tmp_path: Path) -> None:
    config = preset(tmp_path, "config.yaml", GATEWAY + "preset: ./mine.yaml")
    for language in ("en", "pt-BR"):
        preset(tmp_path, "mine.yaml", f"language: {language}")
        assert load(config, environ={}).language == language


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: ./mine.yaml", "mine.yaml:1: extends: this preset extends itself; allowed: a preset that extends another one, without a cycle"),
        ("extends: gateway-wraper", 'mine.yaml:1: extends: found "gateway-wraper"; allowed: gateway-wrapper, or a file such as ./mine.yaml; did you mean "gateway-wrapper"?'),
        ("extends: null", "mine.yaml:1: extends: found nothing (null); allowed: gateway-wrapper, or a file such as ./mine.yaml"),
        ("\ngateway: http://x.example", "mine.yaml:2: gateway: it belongs in config.yaml, not in a preset; remove it here"),
        ("wehbooks: []", 'mine.yaml:1: wehbooks: unknown key; did you mean "webhooks"? (known: about, extends, preset_without, language, webhooks, events, presence, dialect, sessions, channels, reconnect)'),
        ("webhooks:\n  - path: /in\n    secret: {header: X-S, value: hidden}", "mine.yaml:3: webhooks[0].secret: a secret belongs in config.yaml, not in a preset; remove it here"),
        ("preset_without: /x", "mine.yaml:1: preset_without: found without extends; allowed: beside it"),
        ("about: {titel: x}", 'mine.yaml:1: about.titel: unknown key; did you mean "title"? (known: title, versions, webhook, adds, cannot, secret, proof, set_url, states, bring_back, sends_once)'),
        ("about: {states: {open: conected}}", 'mine.yaml:1: about.states.open: found "conected"; allowed: connected, starting, connecting, scan, unscanned, action, disconnected, logged-out, stopped, failed, banned, outdated; did you mean "connected"?'),
        ("about: {title: ''}", 'mine.yaml:1: about.title: found ""; allowed: a text that is not empty'),
        ("events:\n  - event: a", "mine.yaml:2: events[0].session: missing; write the fields that may name the session, such as [session.id, session]"),
        ("channels: [{list: [x]}]", "mine.yaml:1: channels[0].path: missing; write the route's path, such as /api/channels"),
        ("[x]", "mine.yaml:1: found a list; allowed: a mapping such as gateway: http://127.0.0.1:3000"),
        ("extends: ${MISSING}", "mine.yaml:1: extends: the environment variable MISSING is not set; set it, or write ${MISSING:-default}"),
        ("extends: ./none.yaml", "mine.yaml:1: extends: the preset's file cannot be read: No such file or directory: none.yaml"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_preset_names_its_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text).replace(", ".join(preset_names()), "gateway-wrapper") == message


def test_presets_build_on_a_few_others_at_most(tmp_path: Path) -> None:
    for number in range(7):
        preset(tmp_path, f"{number}.yaml", f"extends: ./{number + 1}.yaml")
    preset(tmp_path, "7.yaml", "extends: gateway-wrapper")
    assert "8 levels deep" in refused(tmp_path, "extends: ./0.yaml")
    assert layers.about(str(tmp_path / "1.yaml")) == layers.about("gateway-wrapper")


def test_what_is_no_mapping_says_of_no_preset_what_it_is_for(tmp_path: Path) -> None:
    assert (
        refused(tmp_path, "about: [x]")
        == "mine.yaml:1: about: found a list; allowed: a mapping of title, versions, webhook, adds, cannot, secret, proof, set_url, states, bring_back, sends_once"
    )


def test_a_preset_s_blocks_are_read_without_what_it_is_for() -> None:
    assert layers.read_preset("gateway-wrapper").nodes.keys() == {
        "language",
        "webhooks",
        "events",
        "presence",
        "dialect",
        "channels",
        "reconnect",
    }


def test_a_preset_says_what_it_is_for(tmp_path: Path) -> None:
    preset(tmp_path, "base.yaml", "about: {title: Base, adds: correction}")
    preset(tmp_path, "mine.yaml", "extends: ./base.yaml\nabout: {title: Mine, versions: 2.x}")
    preset(tmp_path, "bare.yaml", "extends: ./mine.yaml")
    expected = layers.About(title="Mine", versions="2.x", adds=("correction",))
    assert layers.about(str(tmp_path / "mine.yaml")) == layers.about(str(tmp_path / "bare.yaml")) == expected
    assert layers.about(None) is None
    with pytest.raises(ConfigError, match="gateway-wrapper"):
        layers.about("nowhere")
