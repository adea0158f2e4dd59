"""The layers of the configuration: the file, its preset below it, the command line above it.

All of it works on the tree of the file, before anything is typed, so that an error can name where each value
came from.
"""

import importlib.resources
import os
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from statusproxy.config.errors import ConfigError, did_you_mean
from statusproxy.config.overlay import overlay
from statusproxy.config.spot import Spot
from statusproxy.config.yaml_tree import Entries, Items, Mark, Scalar, parse, resolve

Layer = tuple[Mark, Entries]
"""The top-level block of a file, and where it begins."""

NOTHING: Layer = (Mark("the defaults"), Entries({}))

DEFAULT_PRESET = "gateway-wrapper"

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


def read_text(text: str, source: str, environ: Mapping[str, str] | None, keys: Collection[str] | None = None) -> Layer:
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


def with_preset(layer: Layer) -> Layer:
    """What the user wrote, over what the preset says (`overlay`)."""
    mark, written = layer
    return mark, overlay(written, _preset(written, mark))


def preset_names() -> tuple[str, ...]:
    """The presets that come with the program."""
    files = (importlib.resources.files("statusproxy") / "presets").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def _is_there(path: Path) -> bool:
    """True also for a file that may not be looked at: reading it will say so, where skipping it would hide it."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


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


def _preset(written: Entries, mark: Mark) -> Entries:
    place, node = written.nodes.get("preset", (mark, Scalar(DEFAULT_PRESET)))
    spot = Spot(node, "preset", place)
    if spot.is_null:
        return Entries({})
    names = preset_names()
    allowed = f"{', '.join(names)}, or null for none"
    name = spot.text(allowed)
    if name not in names:
        raise spot.found(f"allowed: {allowed}{did_you_mean(name, names)}")
    return read_preset(name)


@cache
def read_preset(name: str) -> Entries:
    """The tree of a preset that comes with the program: read once, for it changes with the program only."""
    resource = importlib.resources.files("statusproxy") / "presets" / f"{name}.yaml"
    return read_text(resource.read_text("utf-8"), f"preset {name}", None)[1]
