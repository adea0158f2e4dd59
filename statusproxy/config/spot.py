"""A place in the configuration file: its content, its location, and the text of an error about it."""

from collections.abc import Collection, Mapping

import msgspec

from statusproxy.config.addresses import conceal
from statusproxy.config.errors import ConfigError, did_you_mean, quote
from statusproxy.config.yaml_tree import Entries, Items, Kind, Mark, Node, Scalar, child_key

MASK = "********"
"""What stands for a secret wherever settings are shown."""


class Spot(msgspec.Struct, frozen=True):
    """One place in the configuration: a node, its key path, and where it is written."""

    node: Node
    key: str
    mark: Mark
    hidden: bool = False  # a secret may stand here: errors never repeat the value

    @property
    def is_null(self) -> bool:
        """Nothing is written here: `null`, `~`, no value at all, or a variable that is one of these."""
        if not isinstance(self.node, Scalar) or self.node.kind is not Kind.NULL:
            return False
        # A secret from the environment is text, even one spelt "null". An empty one is a mistake, unless `${VAR:-}`.
        return not (self.hidden and self.node.substituted and not (self.node.may_be_empty and not self.node.text))

    @property
    def is_from_command_line(self) -> bool:
        """An option says it, not the file."""
        return self.mark.line is None and self.mark.source.startswith("--")

    def error(self, problem: str) -> ConfigError:
        """The error that `problem` is about this place."""
        where = f"{self.mark}: " if self.is_from_command_line or not self.key else f"{self.mark}: {self.key}: "
        return ConfigError(where + problem)

    def found(self, rest: str) -> ConfigError:
        """The error `found …; rest`."""
        return self.error(f"found {self.describe()}; {rest}")

    def describe(self) -> str:
        """What stands here, in words that never give away a secret."""
        if isinstance(self.node, Items):
            return "a list"
        if isinstance(self.node, Entries):
            return "a mapping"
        if self.is_null:
            return "nothing (null)"
        is_text = self.node.kind is Kind.TEXT
        if self.hidden:
            return "a text" if is_text else "a value"
        return quote(conceal(self.node.text, MASK)) if is_text else self.node.text[:40]

    def unknown_key(
        self, name: str, entry: "Spot", known: Collection[str], *, guarded: bool = False, holds_secrets: bool = False
    ) -> ConfigError:
        """The error about a key that this mapping does not have. The key is repeated where it cannot be a secret.

        It may be one where secrets belong (`guarded`), and in braces, where a comma in a value without quotes has cut
        it: `{value: abc,def}` has a key `def`. So in braces it is repeated where it has a value and is nearly a known
        one. In a block that has secrets further inside (`holds_secrets`) it is repeated where it is nearly a known one.
        """
        cut = entry.mark.in_braces and entry.is_null
        meant = did_you_mean(name, known)
        hint = "; put quotes around a value that holds a comma" if cut else meant
        unnamed = guarded or cut or ((entry.mark.in_braces or holds_secrets) and not meant)
        where = msgspec.structs.replace(self, mark=entry.mark) if unnamed else entry
        return where.error(f"unknown key{hint} (known: {', '.join(known)})")

    def text(self, allowed: str = "text") -> str:
        """The text that stands here; a number counts as the text it is written as."""
        if isinstance(self.node, Scalar):
            if self.node.kind in (Kind.TEXT, Kind.INT, Kind.FLOAT):
                return self.node.text
            if self.node.substituted:
                return self.node.text
            if self.node.kind is Kind.BOOL:
                raise self.found(f'allowed: {allowed}; if it is a word, write it in quotes: "{self.node.text}"')
        raise self.found(f"allowed: {allowed}")

    def items(self, allowed: str, *, at_least: int = 0) -> list["Spot"]:
        """The places of a list's items."""
        if not isinstance(self.node, Items):
            fix = "; write [] for none, or remove the line" if self.is_null and not at_least else ""
            raise self.found(f"allowed: {allowed}{fix}")
        return [
            Spot(node, f"{self.key}[{index}]", mark, self.hidden) for index, (mark, node) in enumerate(self.node.nodes)
        ]

    def entries(self, allowed: str) -> dict[str, "Spot"]:
        """The places of a mapping's values, by key."""
        if not isinstance(self.node, Entries):
            fix = "; write {} for none, or remove the line" if self.is_null else ""
            raise self.found(f"allowed: {allowed}{fix}")
        return {
            name: Spot(node, child_key(self.key, name), mark, self.hidden)
            for name, (mark, node) in self.node.nodes.items()
        }


class Block(msgspec.Struct, frozen=True):
    """A block that has been read, for the checks that look at several of its keys at once."""

    spot: Spot
    entries: Mapping[str, Spot]

    def at(self, name: str, *further: str) -> Spot:
        """The place of a key, or as near to it as the file comes where the key is not written."""
        spot = self.entries.get(name, self.spot)
        for name in further:
            if not isinstance(spot.node, Entries) or name not in spot.node.nodes:
                break
            spot = spot.entries("a mapping")[name]
        return spot
