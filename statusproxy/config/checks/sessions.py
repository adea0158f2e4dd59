"""Checks of what tells of sessions and shows them: `events`, `channels`, `reconnect` and `sessions`."""

from statusproxy.config.effect import check_set_value
from statusproxy.config.paths import SESSION
from statusproxy.config.settings import Channels, Event, Reconnect, Sessions, folded
from statusproxy.config.spot import Block
from statusproxy.status.fields import fold_word
from statusproxy.status.model import Release


def check_event(event: Event, block: Block) -> None:
    """Refuse a rule that goes by its words and by its name, or by neither."""
    speaks_by_words = bool(event.state and (event.disconnected or event.connected))
    if event.means is None and not speaks_by_words:
        raise block.spot.error(
            "this rule can never say anything; allowed: means, or state with disconnected or connected"
        )
    if event.means is not None and (event.state or event.disconnected or event.connected):
        raise block.at("means").error(
            "found beside state, disconnected or connected; allowed: means alone, or those without means"
        )
    both = folded(event.disconnected) & folded(event.connected)
    if both:
        raise block.at("connected").error(f"found {min(both)} in disconnected too; allowed: each word once")
    silent = folded(event.event) & folded(event.unless)
    if silent:
        raise block.at("unless").error(
            f"found {min(silent)}, which event lists too, so that the rule never says anything about it; "
            "allowed: events other than the rule's own"
        )


def check_channels(channels: Channels, block: Block) -> None:
    """Refuse `keep` and `set` that would show a lost session as connected, and a change of a channel's id."""
    both = folded(channels.keep) & folded(channels.connected)
    if both:
        raise block.at("keep").error(
            f"found {min(both)}, which connected lists too; allowed: words that tell more than disconnected"
        )
    connected = folded(channels.connected)
    for name, value in channels.set.items():
        if name in channels.id:
            raise block.at("set", name).error(
                "id lists this field too, and a channel's id is never changed; allowed: a field that holds a status"
            )
        try:
            check_set_value(value)
        except ValueError as error:
            raise block.at("set", name).found(str(error)) from None
        if isinstance(value, str) and fold_word(value) in connected:
            raise block.at("set", name).found(
                "connected lists this word too, so that a lost session would read connected; allowed: another word"
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
                "found an alias of an id onto itself; allowed: event id: channel id, where they differ"
            )
    if sessions.max_age is not None and not sessions.releases[Release.EXPIRED.value]:
        raise block.at("max_age").error(
            "found beside releases.expired: false, so that nothing ever expires; allowed: one of the two"
        )
