"""Fixes as lines for config.yaml: whole blocks that replace the existing ones.

A block is printed as the file has it, with the fix applied. What the preset supplies need not be repeated: a file is
laid over its preset entry by entry (`overlay`). `${VAR}` stays a variable, and a secret is never printed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from statusproxy.config import addresses
from statusproxy.config.dump import Plain, escaped, to_yaml
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import DEFAULT_PRESET, preset_names, read_preset, read_text
from statusproxy.config.paths import fold_path
from statusproxy.config.spot import MASK
from statusproxy.config.state_url import mask_state_url
from statusproxy.config.yaml_tree import Entries, Items, Kind, Node
from statusproxy.doctor.findings import Lines

#: Put before a block in which a secret is left out: the one comment for both languages of the report.
_KEEP_SECRETS = f"# {MASK}: the secret that is there now / o segredo que já está lá"

#: Keys in webhooks, by their block, that may hold a secret.
_SECRETS = (("secret", "value"), ("hmac", "secret"), ("jwt", "secret"), ("token", "value"))


class Written:
    """What a configuration file says, as it is written: nothing of a preset, no variable filled in."""

    def __init__(self, blocks: Mapping[str, Any] | None = None) -> None:
        self._blocks = dict(blocks or {})

    @classmethod
    def read(cls, source: Path | None) -> "Written":
        """The file's blocks; none where there is no file, or where it cannot be read any more."""
        if source is None:
            return cls()
        try:
            _, entries = read_text(source.read_text("utf-8-sig"), str(source), None)
        except (OSError, UnicodeDecodeError, ConfigError):
            return cls()
        return cls(_plain(entries))

    def has(self, block: str) -> bool:
        """Whether the file itself has this block."""
        return block in self._blocks

    def with_value(self, key: str, value: Any) -> Lines:
        """The block of a key with another value."""
        return _lines(key, escaped(value))

    def with_keys(self, block: str, **values: Any) -> Lines:
        """A block that is a mapping, with some of its keys changed."""
        known = self._blocks.get(block)
        return _lines(block, {**(known if isinstance(known, dict) else {}), **escaped(values)})

    def with_entry(self, block: str, path: str, **values: Any) -> Lines:
        """A block of entries, with some keys changed in the entry of this path, which is added if it is missing."""
        return self.with_entries(block, {path: values})

    def with_entries(self, block: str, changes: Mapping[str, Mapping[str, Any]]) -> Lines:
        """A block of entries, with keys of several entries changed, by their paths."""
        known = self._blocks.get(block)
        entries = [dict(each) for each in known if isinstance(each, dict)] if isinstance(known, list) else []
        for path, values in changes.items():
            fresh = escaped(dict(values))
            for entry in entries:
                if fold_path(str(entry.get("path"))) == fold_path(path):
                    entry |= fresh
                    break
            else:
                entries.append({"path": path, **fresh})
        return _lines(block, entries)

    def with_preset(self, block: str, preset: str | None = None) -> Lines:
        """A block of the file, and after it all entries that the preset has: the default one where it has none."""
        known = self._blocks.get(block)
        name = preset if preset is not None and preset in preset_names() else DEFAULT_PRESET
        entries = _plain(read_preset(name)).get(block) or _plain(read_preset(DEFAULT_PRESET))[block]
        entries = [*(known if isinstance(known, list) else []), *entries]
        return _lines(block, entries)


def _lines(key: str, value: Any) -> Lines:
    shown, hidden = _without_secrets(key, value)
    text = to_yaml({key: shown}, variables=True)
    return Lines([*([_KEEP_SECRETS] if hidden else []), *text.splitlines()])


def _without_secrets(key: str, value: Any) -> tuple[Any, bool]:
    """The value with its secrets masked, and whether there were any. A variable is not a secret."""
    if key == "state" and isinstance(value, dict) and "url" in value:
        return _masked(value, "url", lambda text: mask_state_url(text, MASK))
    if key == "admin" and isinstance(value, dict):
        return _masked(value, "token", lambda _: MASK)
    if key != "webhooks" or not isinstance(value, list):
        return value, False
    entries, hidden = [], False
    for entry in value:
        if isinstance(entry, dict):
            entry, some = _masked(entry, "forward_to", lambda text: addresses.conceal_url(text, MASK))
            hidden = hidden or some
            for block, name in _SECRETS:
                if isinstance(entry.get(block), dict):
                    inner, some = _masked(entry[block], name, lambda _: MASK)
                    entry = {**entry, block: inner}
                    hidden = hidden or some
        entries.append(entry)
    return entries, hidden


def _masked(block: dict[str, Any], name: str, mask: Callable[[str], str]) -> tuple[dict[str, Any], bool]:
    text = block.get(name)
    if text is None or "${" in str(text):
        return block, False
    masked = mask(str(text))
    return {**block, name: masked}, masked != str(text)


def _plain(node: Node) -> Any:
    """A tree as plain values. Numbers and words such as `true` stay as they are written."""
    if isinstance(node, Entries):
        return {name: _plain(each) for name, (_, each) in node.nodes.items()}
    if isinstance(node, Items):
        return [_plain(each) for _, each in node.nodes]
    if node.kind is Kind.TEXT:
        return node.text
    return Plain(node.text)
