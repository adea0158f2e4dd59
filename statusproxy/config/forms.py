"""Forms of settings: how a value, list or mapping is read from the file and written back.

A form's `read` gives the value, or raises the one ConfigError that names the fix.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from statusproxy.config import units
from statusproxy.config.errors import did_you_mean
from statusproxy.config.spot import MASK, Spot
from statusproxy.config.yaml_tree import Entries, Kind, Scalar

T = TypeVar("T")

_CONTROL = frozenset(map(chr, [*range(32), 127]))


class Form(msgspec.Struct, Generic[T], frozen=True):
    """How a setting of one kind is read from the file, and shown as what YAML can say."""

    read: Callable[[Spot], T]
    show: Callable[[T], Any]
    secret: bool = False
    private: bool = False  # no secret, but one may stand in it, or in its place: errors never repeat it
    holds_secrets: bool = False  # a key in it, or below, is one of the two
    keys: frozenset[str] = frozenset()  # those that it has, and those below, except for keys of the user's choice

    @property
    def guarded(self) -> bool:
        """Whether errors must not repeat the value, as it may be a secret."""
        return self.secret or self.private or self.holds_secrets


def parsed(
    parse: Callable[[str], T],
    show: Callable[[T], Any] = str,
    *,
    allowed: str = "text",
    reveal: Callable[[str], str] | None = None,
    private: bool = False,
) -> Form[T]:
    """The form of a text that `parse` understands; its ValueError ends the sentence `found "…"; `.

    `reveal` gives the text as an error may repeat it, in any place; without it errors repeat it where they may.
    """

    def read(spot: Spot) -> T:
        text = spot.text(allowed)
        try:
            return parse(text)
        except ValueError as error:
            if reveal is not None:
                shown = Scalar(reveal(text), spot.node.kind if isinstance(spot.node, Scalar) else Kind.TEXT)
                spot = msgspec.structs.replace(spot, node=shown, hidden=False)
            raise spot.found(str(error)) from None

    return Form(read, show, private=private)


def same(value: T) -> T:
    """Show a value as itself."""
    return value


def text(*, empty: bool = False, private: bool = False) -> Form[str]:
    """A text, of at least one character unless `empty`."""

    def read(spot: Spot) -> str:
        value = spot.text()
        if not value.strip() and not empty:
            raise spot.found("allowed: a text that is not empty")
        return value

    return Form(read, same, private=private)


def check_no_mask(value: str) -> str:
    """Refuse a secret that was copied masked from `check` or the doctor into a file. Raises ValueError."""
    if MASK in value:
        raise ValueError(
            f"{MASK} stands for a secret where settings are shown; allowed: the secret itself, or ${{VAR}}"
        )
    return value


def secret() -> Form[str]:
    """A text that is never shown, neither in the effective settings nor in an error."""

    def read(spot: Spot) -> str:
        spot = msgspec.structs.replace(spot, hidden=True)
        value = spot.text("text")
        if not value:
            raise spot.error("found an empty secret; allowed: a text that others cannot guess")
        try:
            check_no_mask(value)
        except ValueError as error:
            raise spot.error(f"{error}") from None
        if not _CONTROL.isdisjoint(value):
            raise spot.error("found a line break or another control character in it; allowed: one line of text")
        return value

    return Form(read, lambda _: MASK, secret=True)


def duration(at_least: float = 0.001) -> Form[float]:
    """Seconds, written as `60`, `60s`, `500ms`, `2m`, `1h`, `1d`."""

    def parse(value: str) -> float:
        seconds = units.parse_duration(value)
        if seconds < at_least:
            raise ValueError(f"allowed: at least {units.format_duration(at_least)}")
        return seconds

    return parsed(parse, units.format_duration, allowed=units.DURATION_ALLOWED)


def size(at_least: int = 1, at_most: int = 2**50) -> Form[int]:
    """Bytes, written as `1048576`, `1MiB`, `10MB`, `64k`."""

    def parse(value: str) -> int:
        count = units.parse_size(value)
        if not at_least <= count <= at_most:
            raise ValueError(f"allowed: {units.format_size(at_least)} to {units.format_size(at_most)}")
        return count

    return parsed(parse, units.format_size, allowed=units.SIZE_ALLOWED)


def count(at_least: int = 1, at_most: int = 1_000_000) -> Form[int]:
    """A whole number within bounds."""
    allowed = f"a whole number from {at_least} to {at_most}"

    def read(spot: Spot) -> int:
        node = spot.node
        if not isinstance(node, Scalar) or node.kind is not Kind.INT or len(node.text) > 12:
            raise spot.found(f"allowed: {allowed}")
        number = int(node.text)
        if not at_least <= number <= at_most:
            raise spot.found(f"allowed: {allowed}")
        return number

    return Form(read, same)


def texts(
    item: Form[T], *, allowed: str = "text", at_least: int = 0, compared: Callable[[T], object] | None = None
) -> Form[tuple[T, ...]]:
    """A list of texts of one form; a single one may stand without the list's brackets.

    With `compared`, which gives what two entries are compared by, the same one is refused a second time.
    """

    def read(spot: Spot) -> tuple[T, ...]:
        if isinstance(spot.node, Scalar) and not spot.is_null:
            return (item.read(spot),)
        spots = spot.items(f"{allowed}; or a list of them", at_least=at_least)
        if len(spots) < at_least:
            raise spot.error("found an empty list; allowed: at least one entry")
        values = tuple(item.read(each) for each in spots)
        if compared is not None:
            known: set[object] = set()
            for each, name in zip(spots, map(compared, values), strict=True):
                if name in known:
                    raise each.found("an entry before it is the same; allowed: each once")
                known.add(name)
        return values

    return Form(read, lambda values: [item.show(value) for value in values])


def mapping(
    value: Form[T], allowed: str, *, at_least: int = 0, check_name: Callable[[str], str] = str
) -> Form[Mapping[str, T]]:
    """A mapping with keys of the user's choice; `check_name` refuses one with a ValueError, as `parsed` takes it."""

    def read(spot: Spot) -> dict[str, T]:
        entries = spot.entries(allowed)
        if len(entries) < at_least:
            raise spot.found(f"allowed: {allowed}, with at least one entry")
        for name, entry in entries.items():
            if not name.strip():
                raise entry.error("found an empty key; allowed: a text that is not empty")
            try:
                check_name(name)
            except ValueError as error:
                raise entry.error(str(error)) from None
        return {name: value.read(entry) for name, entry in entries.items()}

    return Form(read, lambda values: {name: value.show(each) for name, each in values.items()})


def switches(names: Sequence[str]) -> Form[Mapping[str, bool]]:
    """A mapping that switches named things off or on; what it leaves out is on."""

    def read(spot: Spot) -> dict[str, bool]:
        entries = spot.entries(f"a mapping of {', '.join(names)} to true or false")
        for name, entry in entries.items():
            if name not in names:
                raise spot.unknown_key(name, entry, names)
        return {name: boolean(entries[name]) if name in entries else True for name in names}

    return Form(read, dict, keys=frozenset(names))


JsonScalar = str | int | float | bool | None


def _json_scalar(spot: Spot) -> JsonScalar:
    node = spot.node
    if not isinstance(node, Scalar):
        raise spot.found("allowed: a text, a number, true, false or null")
    match node.kind:
        case Kind.NULL:
            return None
        case Kind.BOOL:
            return node.text.lower() == "true"
        case Kind.INT if len(node.text) <= 15:
            return int(node.text)
        case Kind.FLOAT if len(node.text) <= 30 and math.isfinite(float(node.text)):
            return float(node.text)
        case Kind.TEXT:
            return node.text
    raise spot.found("allowed: a number that JSON readers agree on, of at most 15 digits")


JSON_SCALAR: Form[JsonScalar] = Form(_json_scalar, same)

SetValue = JsonScalar | Mapping[str, JsonScalar]


def set_value(check_word: Callable[[str], str] = str) -> Form[SetValue]:
    """A JSON scalar, or a mapping of words to one each; `check_word` refuses a word with a ValueError."""
    by_word = mapping(
        JSON_SCALAR, "a value, or a mapping of the event's words to values", at_least=1, check_name=check_word
    )

    def read(spot: Spot) -> SetValue:
        return by_word.read(spot) if isinstance(spot.node, Entries) else _json_scalar(spot)

    return Form(read, lambda value: dict(value) if isinstance(value, Mapping) else value)


def boolean(spot: Spot, *words: str) -> bool:
    """True or false as YAML 1.2 writes them; `words` are what else the setting allows, for the error."""
    allowed = ", ".join(("true", "false", *words))
    if isinstance(spot.node, Scalar):
        if spot.node.kind is Kind.BOOL:
            return spot.node.text.lower() == "true"
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(spot.node.text.lower())
        if meant:
            raise spot.found(f'allowed: {allowed}; did you mean "{meant}"?')
        raise spot.found(f"allowed: {allowed}{did_you_mean(spot.node.text, words)}")
    raise spot.found(f"allowed: {allowed}")


def boolean_or(*words: str) -> Form[bool | str]:
    """True, false, or one of some words that say more."""

    def read(spot: Spot) -> bool | str:
        node = spot.node
        return node.text if isinstance(node, Scalar) and node.text in words else boolean(spot, *words)

    return Form(read, same)


def choice(words: tuple[str, ...]) -> Form[str]:
    """One of some words."""

    def read(spot: Spot) -> str:
        allowed = f"allowed: {', '.join(words)}"
        word = spot.node.text if isinstance(spot.node, Scalar) else ""
        if word not in words:
            raise spot.found(allowed + did_you_mean(word, words))
        return word

    return Form(read, same)
