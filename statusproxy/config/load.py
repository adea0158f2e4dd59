"""Read the settings from a file, its preset and the command line; show them again.

`load` and `loads` read, `dump` shows. The file becomes a tree first (`layers`), so that an error can name the place of
each value; then the tree is read into `Settings` and checked (`checks.table`).
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from statusproxy.config.blocks import struct
from statusproxy.config.checks.table import CHECKS
from statusproxy.config.dump import to_yaml
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import (
    NOTHING,
    Layer,
    find_file,
    read_file,
    read_text,
    searched,
    with_overrides,
    with_preset,
)
from statusproxy.config.settings import OR_GATEWAY, Settings
from statusproxy.config.spot import Spot
from statusproxy.config.state_url import Place, parse_state_url
from statusproxy.config.yaml_tree import Entries

_ROOT = struct(Settings, CHECKS)

#: The default of `spool.max_bytes` where the state is on a server, which has the spool in its memory.
_SPOOL_ON_A_SERVER: Final = 64 * 1024**2


def load(
    path: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, str | Sequence[str]] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    listen: Sequence[str] | None = None,
    gateway: str | None = None,
) -> Settings:
    """Read the settings from a file, its preset, and what the command line says.

    `path` names the file; without it `find_file` looks for one. If there is none, the defaults are used (the gateway
    must then come from the command line). `listen` and `gateway`, and any key path of `overrides` (such as
    `{"log.format": "json"}`), take precedence over the file. `environ` fills in `${VAR}`; it defaults to the
    process's own.
    Raises ConfigError for the first mistake found.
    """
    environ = os.environ if environ is None else environ
    file = Path(path) if path is not None else find_file(environ)
    given: dict[str, str | Sequence[str]] = dict(overrides or {})
    if listen:
        given["listen"] = listen
    if gateway is not None:
        given["gateway"] = gateway
    if file is not None:
        return _settings(read_file(file, environ, _ROOT.keys), given, environ)
    if "gateway" not in given:
        raise ConfigError(f"no configuration file found (looked at {searched()}); write one{OR_GATEWAY}")
    return _settings(NOTHING, given, environ)


def loads(text: str, environ: Mapping[str, str] | None = None, source: str = "config.yaml") -> Settings:
    """Read the settings from the text of a configuration file; `source` names it in errors."""
    environ = environ or {}
    return _settings(read_text(text, source, environ, _ROOT.keys), {}, environ)


def dump(settings: Settings) -> str:
    """The effective settings as YAML, secrets masked.

    Loaded again they are equal except for the masked values: every entry is written out, so no preset adds to them.
    """
    return to_yaml(_ROOT.show(settings))


def _settings(written: Layer, given: Mapping[str, str | Sequence[str]], environ: Mapping[str, str]) -> Settings:
    mark, entries = with_preset(with_overrides(written, given), environ, _ROOT.keys)
    settings: Settings = _ROOT.read(Spot(entries, "", mark))
    return settings if _says_spool_size(entries) else _with_spool_size(settings)


def _says_spool_size(entries: Entries) -> bool:
    _, spool = entries.nodes.get("spool", (None, None))
    return isinstance(spool, Entries) and "max_bytes" in spool.nodes


def _with_spool_size(settings: Settings) -> Settings:
    """The settings with the default that depends on where the spool lies: a server has it in its memory."""
    if not isinstance(parse_state_url(settings.state.url), Place):
        return settings
    return replace(settings, spool=replace(settings.spool, max_bytes=_SPOOL_ON_A_SERVER))
