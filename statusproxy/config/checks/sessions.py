"""Checks of what reports sessions and shows them: `events`, `channels`, `reconnect` and `sessions`."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from statusproxy.config.effect import check_set_value
from statusproxy.config.forms import JsonScalar
from statusproxy.config.settings import Channels, Event, Reconnect, Sessions, folded
from statusproxy.config.spot import Block, Spot
from statusproxy.config.templates import SESSION
from statusproxy.status.fields import fold_word
from statusproxy.status.model import Release


def check_event(event: Event, block: Block) -> None:
    """Refuse a rule that goes by its words and by its name, or by neither."""
    words = {"disconnected": event.disconnected, "connected": event.connected, "transient": event.transient}
    if event.means is None and not (event.state and any(words.values())):
        raise block.spot.error(
            "this rule can never have an effect; allowed: means, or state with disconnected, connected or transient"
        )
    if event.means is not None and (event.state or any(words.values())):
        raise block.at("means").error(
            "found beside state, disconnected, connected or transient; allowed: means alone, or those without means"
        )
    _check_each_word_once(words, block)
    if event.grace is not None and not event.is_transient:
        raise block.at("grace").error("grace needs `transient` or `means: transient`; allowed: with one of these")
    silent = folded(event.event) & folded(event.unless)
    if silent:
        raise block.at("unless").error(
            f"found {min(silent)}, which event lists too, so the rule never has an effect on it; "
            "allowed: events other than the rule's own"
        )


def _check_each_word_once(words: Mapping[str, Sequence[str]], block: Block) -> None:
    """Refuse a word that two keys of a rule list. The error is about the one of them that the file itself has."""
    for earlier, later in combinations(words, 2):
        both = folded(words[earlier]) & folded(words[later])
        if both:
            here, there = later, earlier
            if block.at(later).mark.source != block.spot.mark.source:
                here, there = earlier, later
            raise block.at(here).error(f"found {min(both)} in {there} too; allowed: each word once")


def check_channels(channels: Channels, block: Block) -> None:
    """Refuse `keep` and `set` that would show a lost session as connected, and a change of a channel's id."""
    if channels.one and SESSION in channels.path:
        raise block.at("one").error(
            f"found beside {SESSION} in path, which already says that the answer is about one session; "
            "allowed: one of the two"
        )
    both = folded(channels.keep) & folded(channels.connected)
    if both:
        raise block.at("keep").error(
            f"found {min(both)}, which connected lists too; allowed: words that are more exact than disconnected"
        )
    for name, value in channels.set.items():
        place = block.at("set", name)
        _check_set_name(name, channels, place)
        if not isinstance(value, Mapping):
            _check_set_value(value, channels, place)
            continue
        first: dict[str, str] = {}
        for word, each in value.items():
            there = place.entries("a mapping")[word]
            known = first.setdefault(fold_word(word), word)
            if known != word:
                raise there.error(f"{known} is the same word; allowed: each word once")
            _check_set_value(each, channels, there)


def _check_set_name(name: str, channels: Channels, place: Spot) -> None:
    """Refuse a field that is, or holds, the channel's id, and one that holds another field of `set`."""
    if any(each == name or each.startswith(f"{name}.") for each in channels.id):
        raise place.error(
            "id lists this field too, and a channel's id is never changed; allowed: a field that holds a status"
        )
    inner = next((each for each in channels.set if each.startswith(f"{name}.")), None)
    if inner is not None:
        raise place.error(f"{inner} is inside this field, and only one of them can be written; allowed: one of the two")


def _check_set_value(value: JsonScalar, channels: Channels, place: Spot) -> None:
    try:
        check_set_value(value)
    except ValueError as error:
        raise place.found(str(error)) from None
    said = str(value).lower() if isinstance(value, bool) else value
    if isinstance(said, str) and fold_word(said) in folded(channels.connected):
        raise place.found(
            "connected lists this word too, so a lost session would read connected; allowed: another word"
        )


def check_reconnect(reconnect: Reconnect, block: Block) -> None:
    """Refuse a `create` route that names no session, neither in its path nor in its body."""
    for route in reconnect.create:
        if SESSION not in route and not reconnect.body:
            raise block.at("body").error(
                f'found an empty list, and "{route}" has no {SESSION}; allowed: one of the two'
            )


def check_sessions(sessions: Sessions, block: Block) -> None:
    """Refuse an alias of an id onto itself, and `max_age` where `releases.expired` is off."""
    for event, channel in sessions.aliases.items():
        if event == channel:
            raise block.at("aliases", event).error(
                "found an alias of an id to itself; allowed: event id: channel id, where they differ"
            )
    if sessions.max_age is not None and not sessions.releases[Release.EXPIRED.value]:
        raise block.at("max_age").error(
            "found with releases.expired: false, so nothing ever expires; allowed: one of the two"
        )
