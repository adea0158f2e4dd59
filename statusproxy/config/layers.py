"""The layers of the configuration: the file, its preset below it, the command line above it.

All of it works on the tree of the file, before anything is typed, so that an error can name where each value
came from.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import msgspec

from statusproxy.config import forms
from statusproxy.config.blocks import struct
from statusproxy.config.errors import ConfigError, did_you_mean
from statusproxy.config.overlay import WITHOUT, overlay
from statusproxy.config.spot import Spot
from statusproxy.config.yaml_tree import Entries, Items, Mark, Scalar, parse, resolve

Layer = tuple[Mark, Entries]
"""The top-level block of a file, and where it begins."""

NOTHING: Layer = (Mark("the defaults"), Entries({}))

DEFAULT_PRESET = "gateway-wrapper"

EVERY_GATEWAY: Final = "_every_gateway"
"""The file beside the presets with what holds at every gateway (`every_gateway`)."""

DIALECT: Final = "dialect"

_EXTENDS: Final = "extends"
_ABOUT: Final = "about"

#: What a gateway's own word for a session's state can mean (`About.states`): page and doctor say it in each language.
STATES: Final = (
    "connected", "starting", "connecting", "scan", "unscanned", "action", "disconnected", "logged-out", "stopped",
    "failed", "banned", "outdated",
)  # fmt: skip

#: What tells the gateway from others, in `about`: read where gateways are asked which they are.
_SIGNS: Final = "signs"

#: The keys of a preset.
_BLOCKS: Final = (
    _ABOUT, _EXTENDS, WITHOUT, "language", "webhooks", "events", "presence", DIALECT, "sessions", "channels",
    "reconnect",
)  # fmt: skip

#: Keys of config.yaml that say something of one site.
_OF_A_SITE: Final = frozenset(
    {
        "listen", "listen_mode", "gateway", "preset", "host", "trusted_proxies", "underscores_in_headers", "state",
        "spool", "admin", "timeouts", "limits", "tls", "gateway_tls", "log",
    }
)  # fmt: skip

#: Keys of a webhook that hold a secret.
_SECRETS: Final = ("secret", "hmac", "jwt", "token")

#: The presets that come with the program. `importlib.resources` would import what reads archives.
_PRESETS: Final = Path(__file__).parent.parent / "presets"

#: Presets that build on one another.
_DEEPEST: Final = 8

FILE_VARIABLE = "STATUSPROXY_CONFIG"
SEARCHED = (Path("config.yaml"), Path("/etc/statusproxy/config.yaml"))


def find_file(environ: Mapping[str, str]) -> Path | None:
    """The configuration file: what STATUSPROXY_CONFIG names, else the first of `SEARCHED` that is there."""
    named = environ.get(FILE_VARIABLE)
    return Path(named) if named else next(filter(_is_there, SEARCHED), None)


def searched() -> str:
    """Where `find_file` looks, for an error that it found nothing."""
    return ", ".join([f"${FILE_VARIABLE}", *map(str, SEARCHED)])


def read_file(path: Path, environ: Mapping[str, str], keys: Collection[str] | None = None) -> Layer:
    """The tree of a configuration file. ConfigError where it cannot be read, is not UTF-8 or not YAML.

    `keys` are those that an error may repeat (None: any).
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = Mark(str(path), error.object.count(b"\n", 0, error.start) + 1)
        byte = error.object[error.start]
        raise ConfigError(f"{mark}: not UTF-8: found the byte 0x{byte:02x}; save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: the configuration file cannot be read: {problem}") from None
    return read_text(content, str(path), environ, keys)


def read_text(
    text: str,
    source: str,
    environ: Mapping[str, str] | None,
    keys: Collection[str] | None = None,
) -> Layer:
    """The tree of a configuration file's text; `keys` as for `read_file`."""
    mark, node = parse(text, source, environ, keys)
    if isinstance(node, Entries):
        return mark, node
    if isinstance(node, Scalar) and not node.text:
        return mark, Entries({})
    raise Spot(node, "", mark, hidden=True).found("allowed: a mapping such as gateway: http://127.0.0.1:3000")


def with_overrides(layer: Layer, given: Mapping[str, str | Sequence[str]]) -> Layer:
    """`layer` with the values at these key paths replaced by what the command line says."""
    mark, entries = layer
    for key, value in given.items():
        entries = _override(entries, key.split("."), value, Mark(f"--{key.replace('.', '-')}"))
    return mark, entries


def with_preset(layer: Layer, environ: Mapping[str, str] | None = None, keys: Collection[str] | None = None) -> Layer:
    """What the user wrote, over what the preset says (`overlay`), over what holds at every gateway.

    A preset's file is named by its whole path then. `environ` fills in the variables of presets in files; `keys` as for
    `read_file`.
    """
    mark, written = layer
    place, node = written.nodes.get("preset", (mark, Scalar(DEFAULT_PRESET)))
    spot = Spot(node, "preset", place)
    if spot.is_null:
        return mark, _over_every_gateway(overlay(written, Entries({})))
    named = _named(spot)
    preset = _Reader(environ or {}, keys).read(named, spot)
    if isinstance(named, Path):
        written = Entries(written.nodes | {"preset": (place, Scalar(str(named)))})
    return mark, _over_every_gateway(overlay(written, _without_head(preset)))


class About(msgspec.Struct, frozen=True):
    """What a preset says of itself, for people: texts, or one a line; empty where it says nothing."""

    title: Annotated[str, forms.text()] = ""
    """The gateway's name."""
    versions: Annotated[str, forms.text()] = ""
    """The gateway's versions for which the preset was made."""
    webhook: Annotated[tuple[str, ...], forms.texts(forms.text())] = ()
    """Where in the gateway the URL for its events is set."""
    adds: Annotated[tuple[str, ...], forms.texts(forms.text())] = ()
    """What the proxy adds for this gateway."""
    cannot: Annotated[tuple[str, ...], forms.texts(forms.text())] = ()
    """What it cannot do there."""
    secret: Annotated[str, forms.text()] = ""
    """Where the gateway wants its secret: a header's name, or a header and a scheme."""
    proof: Annotated[tuple[str, ...], forms.texts(forms.text())] = ()
    """By what its events can prove where they come from: keys of an entry of `webhooks`, each with a comment when."""
    set_url: Annotated[tuple[str, ...], forms.texts(forms.text())] = ()
    """The variables, calls or settings of the gateway, each enough alone, that set the URL of its events.

    `{proxy}` stands for the proxy's own address, as in `{proxy}/webhook`.
    """
    states: Annotated[Mapping[str, str], forms.mapping(forms.choice(STATES), "a mapping such as {open: connected}")] = (
        msgspec.field(default_factory=dict)
    )
    """What the gateway's own words for a session's state, and the names of its events about one, mean."""
    bring_back: Annotated[tuple[str, ...], forms.texts(forms.text())] = ()
    """The gateway's routes by which a lost session comes back, in their order: `METHOD /path`."""
    sends_once: bool = False
    """Whether the gateway sends each event once, so that one that is not taken is lost."""


#: Made once: to read the types of all fields takes longer than to read an `about`.
_ABOUT_FORM: Final = struct(About)


def about(preset: str | None, environ: Mapping[str, str] | None = None) -> About | None:
    """What a preset (a name, or a file as `Settings.preset` has it) says of itself; None where it says nothing.

    What it leaves out is said by the preset that it extends. Raises ConfigError where there is no such preset.
    """
    if preset is None:
        return None
    spot = Spot(Scalar(preset), "preset", Mark("--preset"))
    node = _Reader(environ or {}, None).read(_named(spot), spot).nodes.get(_ABOUT)
    return None if node is None else _about(Spot(node[1], _ABOUT, node[0]))


@cache
def preset_names() -> tuple[str, ...]:
    """The presets that come with the program: looked for once, for they change with the program only."""
    names = (file.stem for file in _PRESETS.glob("*.yaml"))
    return tuple(sorted(name for name in names if name != EVERY_GATEWAY))


def _is_there(path: Path) -> bool:
    """True also for a file that may not be looked at: reading it will say so, where skipping it would hide it."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _over_every_gateway(merged: Entries) -> Entries:
    """The blocks with what holds at every gateway under the keys of `dialect` that they leave out."""
    _, every = built_in(EVERY_GATEWAY)
    place, below = every.nodes[DIALECT]
    assert isinstance(below, Entries)
    place, above = merged.nodes.get(DIALECT, (place, Entries({})))
    if not isinstance(above, Entries):
        return merged  # an error that reading it reports
    return Entries(merged.nodes | {DIALECT: (place, Entries(below.nodes | above.nodes))})


def _override(entries: Entries, keys: Sequence[str], value: str | Sequence[str], mark: Mark) -> Entries:
    key, *rest = keys
    place, node = entries.nodes.get(key, (mark, Entries({})))
    if rest:
        node = _override(node if isinstance(node, Entries) else Entries({}), rest, value, mark)
    elif isinstance(value, str):
        place, node = mark, Scalar(value, resolve(value), substituted=True)
    else:
        place, node = mark, Items(tuple((mark, Scalar(each)) for each in value))
    return Entries(entries.nodes | {key: (place, node)})


def _named(spot: Spot) -> str | Path:
    """The preset that a text names: one that comes with the program, or a file, relative to the one that names it."""
    names = preset_names()
    allowed = f"{', '.join(names)}, or a file such as ./mine.yaml"
    allowed = allowed if spot.key == _EXTENDS else f"{allowed}, or null for none"
    name = spot.text(allowed)
    if name in names:
        return name
    if "/" not in name and not name.endswith(".yaml"):
        raise spot.found(f"allowed: {allowed}{did_you_mean(name, names)}")
    directory = Path() if spot.is_from_command_line else Path(spot.mark.source).parent
    return Path(os.path.abspath(directory / name))


@cache
def built_in(name: str) -> Layer:
    """The tree of a file of `presets/`: read once, for it changes with the program only."""
    return read_text((_PRESETS / f"{name}.yaml").read_text("utf-8"), f"preset {name}", None)


def read_preset(name: str) -> Entries:
    """The blocks of a preset that comes with the program."""
    spot = Spot(Scalar(name), "preset", Mark("--preset"))
    return _without_head(_Reader({}, None).read(name, spot))


class _Reader:
    """Reads one preset with all that it extends."""

    def __init__(self, environ: Mapping[str, str], keys: Collection[str] | None) -> None:
        self._environ = environ
        self._keys = None if keys is None else {*keys, *_BLOCKS, *About.__struct_fields__, _SIGNS}
        self._open: list[str | Path] = []

    def read(self, named: str | Path, spot: Spot) -> Entries:
        """A preset over what it extends, with what both say of themselves; `spot` is where it is named."""
        if named in self._open:
            raise spot.error("this preset extends itself; allowed: a preset that extends another one, without a cycle")
        if len(self._open) >= _DEEPEST:
            raise spot.error(f"presets extend one another more than {_DEEPEST} levels deep; allowed: fewer")
        self._open.append(named)
        mark, written = self._tree(named, spot)
        _check_blocks(written, mark)
        about_here = written.nodes.get(_ABOUT)
        if about_here is not None:
            _about(Spot(about_here[1], _ABOUT, about_here[0]))
        if _EXTENDS not in written.nodes:
            if WITHOUT in written.nodes:
                without, listed = written.nodes[WITHOUT]
                raise Spot(listed, WITHOUT, without).error("found without extends; allowed: beside it")
            return written
        place, node = written.nodes[_EXTENDS]
        base_spot = Spot(node, _EXTENDS, place)
        return _laid_over(written, self.read(_named(base_spot), base_spot))

    def _tree(self, named: str | Path, spot: Spot) -> Layer:
        if isinstance(named, str):
            return built_in(named)
        try:
            named.stat()
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else str(error)
            raise spot.error(f"the preset's file cannot be read: {problem}: {named}") from None
        return read_file(named, self._environ, self._keys)


def _laid_over(written: Entries, base: Entries) -> Entries:
    nodes = dict(overlay(written, base).nodes)
    nodes.pop(WITHOUT, None)
    here, below = written.nodes.get(_ABOUT), base.nodes.get(_ABOUT)
    if here and below and isinstance(here[1], Entries) and isinstance(below[1], Entries):
        nodes[_ABOUT] = (here[0], Entries(below[1].nodes | here[1].nodes))
    return Entries(nodes)


def _without_head(preset: Entries) -> Entries:
    return Entries({name: placed for name, placed in preset.nodes.items() if name not in (_ABOUT, _EXTENDS)})


def _check_blocks(preset: Entries, mark: Mark) -> None:
    """Refuse what does not belong into a preset: what is a site's own, and secrets, since presets are passed on."""
    spots = Spot(preset, "", mark).entries("a mapping")
    for name, entry in spots.items():
        if name in _OF_A_SITE:
            raise entry.error("it belongs in config.yaml, not in a preset; remove it here")
        if name not in _BLOCKS:
            raise Spot(preset, "", mark).unknown_key(name, entry, _BLOCKS)
    webhooks = spots.get("webhooks")
    if webhooks is not None and isinstance(webhooks.node, Items):
        for webhook in webhooks.items("a list"):
            for name in _SECRETS:
                if isinstance(webhook.node, Entries) and name in webhook.node.nodes:
                    place = webhook.entries("a mapping")[name]
                    raise place.error("a secret belongs in config.yaml, not in a preset; remove it here")


def _about(spot: Spot) -> About:
    if isinstance(spot.node, Entries):
        known = Entries({name: placed for name, placed in spot.node.nodes.items() if name != _SIGNS})
        spot = Spot(known, spot.key, spot.mark)
    said: About = _ABOUT_FORM.read(spot)
    return said
