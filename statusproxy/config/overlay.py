"""Merges a configuration file over its preset, entry by entry: a key in the file replaces only that key.

| block | laid over the preset's |
| --- | --- |
| `webhooks`, `channels` | by `path`: an entry with a path of the preset changes the keys it names; others are added |
| `events` | by event: a rule about the very events of one of the preset's changes the keys it names (¹) |
| `reconnect`, `sessions`, `dialect` | by key |
| all others | whole |

(¹) The file's other rules read the events they name, the preset's all others.
An empty block (`[]`, `{}`) means none. `preset_without` names paths and events of the preset that are left out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Final

from statusproxy.config.errors import did_you_mean, nearest
from statusproxy.config.paths import fold_path
from statusproxy.config.spot import Spot
from statusproxy.config.yaml_tree import Entries, Items, Kind, Mark, Node, Scalar
from statusproxy.status.fields import fold_word

Placed = tuple[Mark, Node]
Placements = tuple[Placed, ...]

WITHOUT: Final = "preset_without"

#: The blocks that are laid over the preset's key by key.
_BY_KEY: Final = ("reconnect", "sessions", "dialect")

#: What an entry of `channels` takes from the first one when it leaves it out.
_INHERITED: Final = ("id", "set", "keep", "connected")

#: The keys of a rule that goes by the event's words; one with `means` has none of them.
_BY_WORDS: Final = ("state", "disconnected", "connected", "transient")


def overlay(written: Entries, preset: Entries) -> Entries:
    """What the file says, laid over what its preset says. ConfigError where `preset_without` names nothing of it."""
    left_out = _left_out(written, preset)
    merged = preset.nodes | written.nodes
    for name, lay in _LAY.items():
        own = _items(written, name)
        if name not in merged or (name in written.nodes and not own):
            continue  # none at all, or an error that reading it reports
        merged[name] = (merged[name][0], Items(tuple(lay(own, _items(preset, name), left_out))))
    for name in _BY_KEY:
        below, above = preset.nodes.get(name), written.nodes.get(name)
        if below and above and isinstance(below[1], Entries) and isinstance(above[1], Entries) and above[1].nodes:
            merged[name] = (above[0], Entries(below[1].nodes | above[1].nodes))
    return Entries(merged)


# ---- entries by path ----


def _entries(own: Placements, preset: Placements, left_out: Set[str]) -> Iterator[Placed]:
    """The file's entries, each over the preset's of the same path; then what is left of the preset's."""
    below = {path: node for _, node in preset if (path := _path(node)) not in left_out}
    for mark, node in own:
        base = below.pop(_path(node), None)
        yield mark, _over_entry(node, base) if base is not None else _with_meant_path(node, preset)
    yield from ((mark, node) for mark, node in preset if _path(node) in below)


def _over_entry(entry: Node, base: Node) -> Node:
    """An entry of the file over one of the preset. What means the opposite of a key that it writes is not kept."""
    if not isinstance(entry, Entries) or not isinstance(base, Entries):
        return entry
    kept = dict(base.nodes)
    for name, opposite in (("forward_to", "forward"), ("forward", "forward_to")):
        if name in entry.nodes:
            kept.pop(opposite, None)
    return Entries(kept | entry.nodes)


def _channels(own: Placements, preset: Placements, left_out: Set[str]) -> Iterator[Placed]:
    """As `_entries`; and each entry takes what it leaves out from the first one of the file.

    That one takes it from the preset's first; so do the preset's own entries, as the file has changed that one.
    """
    below = {path: node for _, node in preset if (path := _path(node)) not in left_out}
    above = {_path(node): node for _, node in own}
    head = preset[0][1] if preset else Entries({})
    changed = above.get(_path(head)) if _path(head) in below else None
    inherited = {**_to_inherit(head), **_to_inherit(changed)}
    first: Mapping[str, Placed] = {}
    for mark, node in own:
        if isinstance(node, Entries):
            base = below.pop(_path(node), None)
            known = _not_inherited(base, head) if isinstance(base, Entries) else {}
            meant = _meant_path(node, preset) if base is None else None
            node = Entries({**inherited, **known, **first, **node.nodes}, meant)
            first = first or _to_inherit(node)
        yield mark, node
    for mark, node in preset:
        if _path(node) in below and isinstance(node, Entries):
            yield mark, Entries({**inherited, **_not_inherited(node, head)})


def _not_inherited(entry: Entries, head: Node) -> dict[str, Placed]:
    """What an entry of the preset says itself, and did not take from the preset's first.

    Where presets build on one another, it has taken that already; it is the very same node then.
    """
    taken = {} if entry is head else _to_inherit(head)
    return {name: placed for name, placed in entry.nodes.items() if taken.get(name) is not placed}


def _to_inherit(entry: Node | None) -> dict[str, Placed]:
    nodes = entry.nodes if isinstance(entry, Entries) else {}
    return {name: nodes[name] for name in _INHERITED if name in nodes}


def _path(node: Node | None) -> str | None:
    """An entry's path as gateways tell paths apart; None where it has none that can be read."""
    path = _at(node, "path")
    return fold_path(path.text) if isinstance(path, Scalar) else None


def _with_meant_path(entry: Node, preset: Placements) -> Node:
    return Entries(entry.nodes, _meant_path(entry, preset)) if isinstance(entry, Entries) else entry


def _meant_path(entry: Entries, preset: Placements) -> str | None:
    """The path of the preset that an entry which changes none of it may have meant."""
    return nearest(_text(_at(entry, "path")), [_text(_at(node, "path")) for _, node in preset])


# ---- rules by event ----


def _rules(own: Placements, preset: Placements, left_out: Set[str]) -> Iterator[Placed]:
    """The file's rules, each over the preset's for the very same events; then the preset's, for the other events."""
    bases = _bases(own, preset, left_out)
    taken = set(left_out)
    for mark, node in own:
        base = bases.get(frozenset(_names(node)))
        if isinstance(node, Entries):
            node = (
                _over_rule(node, base)
                if base is not None
                else _with_meant(_with_session(node, preset, left_out), preset)
            )
        if base is None:
            taken.update(_names(node))
        yield mark, node
    changed = list(map(id, bases.values()))
    yield from _without([(mark, node) for mark, node in preset if id(node) not in changed], taken)


def _bases(own: Placements, preset: Placements, left_out: Set[str]) -> dict[frozenset[str], Entries]:
    """The preset's rules that the file's change, by their events: those whose events one rule of either is about."""
    written = Counter(frozenset(_names(node)) for _, node in own)
    known = Counter(frozenset(_names(node)) for _, node in preset)
    return {
        names: node
        for _, node in preset
        if isinstance(node, Entries) and (names := frozenset(_names(node)))
        if written[names] == known[names] == 1 and left_out.isdisjoint(names)
    }


def _over_rule(rule: Entries, base: Entries) -> Entries:
    """A rule of the file over one of the preset. What means the opposite of a key that it writes is not kept."""
    kept = dict(base.nodes)
    if _says(rule, "means"):
        for name in _BY_WORDS:
            kept.pop(name, None)
    elif not rule.nodes.keys().isdisjoint(_BY_WORDS):
        kept.pop("means", None)
    merged = Entries(kept | rule.nodes)
    if not _says(merged, "transient") and _text(_at(merged, "means")) != "transient":
        kept.pop("grace", None)
    return Entries(kept | rule.nodes)


def _says(rule: Entries, name: str) -> bool:
    """Whether something stands under a key: no null, and no empty list."""
    node = _at(rule, name)
    return bool(node.nodes) if isinstance(node, Items) else isinstance(node, Scalar) and node.kind is not Kind.NULL


def _with_session(rule: Entries, preset: Placements, left_out: Set[str]) -> Entries:
    """A rule; where it leaves out `session`, with that of the preset's rules for its events, if they agree."""
    if "session" in rule.nodes:
        return rule
    names = set(_names(rule)) - left_out
    found = [
        node.nodes["session"]
        for _, node in preset
        if isinstance(node, Entries) and "session" in node.nodes and not names.isdisjoint(_names(node))
    ]
    if not found or any(_texts(node) != _texts(found[0][1]) for _, node in found):
        return rule
    return Entries(rule.nodes | {"session": found[0]})


def _with_meant(rule: Entries, preset: Placements) -> Entries:
    """A rule that changes none of the preset's, with the event of it that may have been meant."""
    known = [text for _, node in preset for text in _texts(_at(node, "event"))]
    if not set(map(fold_word, known)).isdisjoint(_names(rule)):
        return rule
    near = (nearest(text, known) for text in _texts(_at(rule, "event")))
    return Entries(rule.nodes, next(filter(None, near), None))


def _without(rules: Sequence[Placed], left_out: Set[str]) -> Iterator[Placed]:
    """The rules without these events; a rule that is about no other is dropped."""
    for mark, node in rules:
        names = _names(node)
        if isinstance(node, Entries) and not left_out.isdisjoint(names):
            place, named = node.nodes["event"]
            if not isinstance(named, Items) or left_out >= set(names):
                continue
            rest = tuple((at, each) for at, each in named.nodes if fold_word(_text(each)) not in left_out)
            node = Entries(node.nodes | {"event": (place, Items(rest))})
        yield mark, node


def _names(node: Node) -> list[str]:
    """The events that a rule is about, folded."""
    return list(map(fold_word, _texts(_at(node, "event"))))


def _texts(node: Node | None) -> list[str]:
    """The texts of a list, which may stand without its brackets."""
    if isinstance(node, Items):
        return [_text(each) for _, each in node.nodes]
    return [] if node is None else [_text(node)]


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


# ---- what is left out ----


def _left_out(written: Entries, preset: Entries) -> set[str]:
    """What `preset_without` names, folded. ConfigError where the preset has no such path and no such event."""
    mark, node = written.nodes.get(WITHOUT, (Mark(""), Items(())))
    spot = Spot(node, WITHOUT, mark)
    spots = [spot] if isinstance(node, Scalar) and not spot.is_null else spot.items("paths and events of the preset")
    paths = [_text(_at(entry, "path")) for _, entry in _all(preset, "webhooks", "channels")]
    events = [text for _, rule in _all(preset, "events") for text in _texts(_at(rule, "event"))]
    known = {fold_path(path): path for path in paths} | {fold_word(event): event for event in events}
    left_out = set()
    for each in spots:
        text = each.text("a path or an event of the preset")
        folded = fold_path(text) if text.startswith("/") else fold_word(text)
        if folded not in known:
            meant = did_you_mean(text, list(known.values()))
            raise each.found(f"allowed: a path or an event that the preset names{meant}")
        left_out.add(folded)
    return left_out


def _all(preset: Entries, *blocks: str) -> Iterator[tuple[Mark, Entries]]:
    for block in blocks:
        yield from ((mark, node) for mark, node in _items(preset, block) if isinstance(node, Entries))


def _items(entries: Entries, name: str) -> Placements:
    """The items of a block that is a list; none where it is missing."""
    node = _at(entries, name)
    return node.nodes if isinstance(node, Items) else ()


def _at(node: Node | None, name: str) -> Node | None:
    """What stands under a key, where the node is a mapping that has it."""
    return node.nodes[name][1] if isinstance(node, Entries) and name in node.nodes else None


#: How the entries of each block that is a list are laid over the preset's.
_LAY: Final[Mapping[str, Callable[[Placements, Placements, Set[str]], Iterator[Placed]]]] = {
    "webhooks": _entries,
    "channels": _channels,
    "events": _rules,
}
