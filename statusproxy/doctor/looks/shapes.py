"""The shape of a real channel list compared with the configured fields, and fields that would fit better."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.fields import MISSING, Path, fold_word, lookup, parse, parse_path
from statusproxy.status.set_values import ByWord

#: How deep a list is looked for, and how many of its elements are looked at.
_DEPTH = 3
_ELEMENTS = 500

#: Names that gateways give to a channel's id and to its status, best first: for suggestions.
_ID_NAMES = ("id", "name", "channel", "channel_id", "session", "session_id", "sessionid", "instance", "key")
_STATUS_NAMES = ("status", "state", "connection", "connectionstatus", "connection_status", "connected", "isconnected")


class Shape(msgspec.Struct, frozen=True):
    """What of a rule fits an answer."""

    elements: Sequence[object] | None
    """The channels; None where no path of the rule leads to a list."""
    where: str = ""
    ids: Sequence[str | None] = ()
    members: Sequence[str] = ()
    """The members of `set` that are there."""
    words: Sequence[str] = ()
    """The status words that were read, each once."""


def elements(listing: ChannelList) -> Iterator[tuple[str | None, object]]:
    """Every channel of a list that was read: its id, and its value."""
    for channel, (start, end) in listing.entries():
        yield channel, parse(listing.body[start:end])


def shape(listing: ChannelList) -> Shape:
    """Lay the list's rule over its answer, by the code that reads it when it is corrected."""
    listing.read()
    if listing.path is None:
        return Shape(None)
    found = list(elements(listing))
    present: Counter[str] = Counter()
    words: dict[str, None] = {}
    for _, element in found:
        values = {name: lookup(element, parse_path(name)) for name in listing.rule.set}
        present.update(name for name, value in values.items() if value is not MISSING)
        for value in values.values():
            if isinstance(value, str | bool):
                words[str(value).lower() if isinstance(value, bool) else value] = None
    return Shape(
        [element for _, element in found],
        ".".join(listing.path) or '""',
        [channel for channel, _ in found],
        [name for name in listing.rule.set if present[name]],
        list(words),
    )


def knows(rule: ChannelRule, word: str) -> bool:
    """Whether a status word means something to the rule."""
    folded = fold_word(word)
    written = (
        one for each in rule.set.values() for one in (each.values.values() if isinstance(each, ByWord) else (each,))
    )
    ours = {fold_word(value) for value in written if isinstance(value, str)}
    return folded in {*rule.connected, *rule.keep, *ours, "true", "false"}


def lists_in(document: object) -> list[str]:
    """Where lists of objects stand, as paths for `list`; those that look most like channels first."""
    found: list[tuple[int, str]] = []

    def look(node: object, path: Path) -> None:
        if type(node) is list:
            objects = sum(type(element) is dict for element in node)
            if objects and objects == len(node):
                found.append((-len(set(ids_in(node))), ".".join(path) or '""'))
        elif type(node) is dict and len(path) < _DEPTH:
            for key, value in node.items():
                if "." not in key and key:
                    look(value, (*path, key))

    look(document, ())
    return [path for _, path in sorted(found, key=lambda each: each[0])]


def ids_in(elements: Sequence[object]) -> list[str]:
    """The members that may hold an id: text or a number, in each element, never the same twice."""
    return list(_sorted(_candidates(elements, distinct=True), _ID_NAMES))


def statuses_in(elements: Sequence[object], rule: ChannelRule) -> list[str]:
    """The members that may tell a status: of a usual name, or with a word in them that the rule knows."""

    def fits(name: str) -> bool:
        values = [element[name] for element in elements if type(element) is dict and name in element]
        known = any(isinstance(value, str) and knows(rule, value) for value in values)
        return known or name.casefold() in _STATUS_NAMES

    return [name for name in _sorted(_candidates(elements, distinct=False), _STATUS_NAMES) if fits(name)]


def members(elements: Sequence[object]) -> list[str]:
    """The names of all members."""
    return list(dict.fromkeys(name for each in elements[:_ELEMENTS] if type(each) is dict for name in each))


def has_status(element: object, rule: ChannelRule) -> bool:
    """Whether a channel has any member that is set."""
    return any(lookup(element, parse_path(name)) is not MISSING for name in rule.set)


def disconnected_in(elements: Sequence[object], name: str) -> str | bool:
    """What a disconnected channel may read in a member: false where it holds true or false, else the word."""
    values = [element[name] for element in elements if isinstance(element, dict) and name in element]
    return False if values and all(isinstance(value, bool) for value in values) else "disconnected"


def _candidates(elements: Sequence[object], *, distinct: bool) -> Iterator[str]:
    looked_at = elements[:_ELEMENTS]
    for name in members(looked_at):
        values = [lookup(element, (name,)) for element in looked_at]
        if "." in name or any(isinstance(value, dict | list) for value in values):
            continue
        if not distinct or (
            all(value is not MISSING and isinstance(value, str | int) for value in values)
            and not any(isinstance(value, bool) for value in values)
            and len(set(map(str, values))) == len(values)
        ):
            yield name


def _sorted(names: Iterator[str], usual: Sequence[str]) -> list[str]:
    order = {name: number for number, name in enumerate(usual)}
    return sorted(names, key=lambda name: order.get(name.casefold(), len(order)))
