"""Warnings of `statusproxy check`: settings that are valid but may not be what was meant."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from statusproxy.config.dump import to_yaml
from statusproxy.config.errors import ConfigError, did_you_mean, quote
from statusproxy.config.load import loads
from statusproxy.config.paths import fold_path
from statusproxy.config.settings import Channels, Settings, folded
from statusproxy.config.state_url import Memory, parse_state_url
from statusproxy.config.templates import SESSION, source_of
from statusproxy.config.yaml_tree import child_key
from statusproxy.status.fields import fold_word
from statusproxy.status.set_values import OTHERWISE

__all__ = ["warnings"]

#: How much alike two segments of paths are where one is the other misspelt.
_SLIP: Final = 0.8

#: Bytes of the shortest secret for HS256: as many as the hash has.
_JWT_SECRET: Final = 32

#: Bytes of the shortest secret for Standard Webhooks.
_STANDARD_WEBHOOKS_SECRET: Final = 24


def warnings(settings: Settings) -> list[str]:
    """One sentence or two for each."""
    preset = _preset(settings)
    return [
        *_sources(settings, preset),
        *_misspelt_paths(settings, preset),
        *_words_never_said(settings),
        *_short_secrets(settings),
        *_idle_spools(settings),
        *_alerts(settings),
    ]


def _words_never_said(settings: Settings) -> Iterator[str]:
    """Words of an event for which `set` has a value, where no rule knows such a word as a loss: it is never written."""
    said = [word for rule in settings.events for word in (*rule.disconnected, *rule.transient)]
    known = folded(said)
    for index, channels in enumerate(settings.channels):
        for name, value in channels.set.items():
            for word in value if isinstance(value, Mapping) else ():
                if word != OTHERWISE and fold_word(word) not in known:
                    key = child_key(f"channels[{index}].set", name)
                    yield (
                        f"{key}: no rule in events lists {quote(word)} under disconnected or transient, so this "
                        f"value is never written{did_you_mean(word, said)}"
                    )


def _misspelt_paths(settings: Settings, preset: Settings | None) -> Iterator[str]:
    """Webhooks beside those of the preset, with nearly the path of one."""
    known = [webhook.path for webhook in preset.webhooks] if preset is not None else []
    folded_paths = set(map(fold_path, known))
    for index, webhook in enumerate(settings.webhooks):
        meant = None if fold_path(webhook.path) in folded_paths else _misspelt(webhook.path, known)
        if meant is not None:
            yield (
                f"webhooks[{index}].path: {webhook.path} is a separate webhook, besides {meant} of the preset; "
                f"did you mean {quote(meant)}?"
            )


def _misspelt(path: str, known: Sequence[str]) -> str | None:
    """The path that differs in the spelling of one segment."""
    segments = fold_path(path).split("/")
    for meant in known:
        others = fold_path(meant).split("/")
        differing = [pair for pair in zip(segments, others, strict=False) if pair[0] != pair[1]]
        if len(segments) == len(others) and len(differing) == 1 and _is_slip(*differing[0]):
            return meant
    return None


def _is_slip(found: str, meant: str) -> bool:
    """Whether a segment is another one misspelt; a placeholder is not a word."""
    if "{" in found + meant or "*" in found + meant:
        return False
    return bool(difflib.get_close_matches(found[:100], [meant[:100]], n=1, cutoff=_SLIP))


def _idle_spools(settings: Settings) -> Iterator[str]:
    """A spool beside a state that ends with the process: nothing is kept."""
    paths = [webhook.path for webhook in settings.webhooks if webhook.spool]
    if paths and isinstance(parse_state_url(settings.state.url), Memory):
        yield (
            f"webhooks: spool: true on {', '.join(paths)} has no effect: events are stored with the state, and this "
            "state.url stores none; sqlite:///state.db does"
        )


def _short_secrets(settings: Settings) -> Iterator[str]:
    """Secrets of JSON Web Tokens that can be found by trying: one token that was seen is enough to try on."""
    for index, webhook in enumerate(settings.webhooks):
        if webhook.jwt is not None and len(webhook.jwt.secret.encode()) < _JWT_SECRET:
            yield (
                f"webhooks[{index}].jwt.secret: shorter than the {_JWT_SECRET} bytes that RFC 7518 (§3.2) asks for; "
                "who has seen one token can find it by trying"
            )


def _alerts(settings: Settings) -> Iterator[str]:
    """Alerts that a restart forgets, and secrets by which anyone can sign soon."""
    if settings.alerts is None:
        return
    if settings.alerts.to and isinstance(parse_state_url(settings.state.url), Memory):
        yield (
            "alerts: with this state.url a restart forgets which sessions are lost and which alerts were sent, so "
            "nobody is told when they are back; sqlite:///state.db keeps both"
        )
    for index, target in enumerate(settings.alerts.to):
        if target.key is not None and len(target.key) < _STANDARD_WEBHOOKS_SECRET:
            yield (
                f"alerts.to[{index}].secret: shorter than the {_STANDARD_WEBHOOKS_SECRET} bytes that Standard Webhooks "
                "asks for; who has seen one message can find it by trying"
            )


def _sources(settings: Settings, preset: Settings | None) -> Iterator[str]:
    """Corrected routes that may show the same sessions from different sources.

    A list and the route for one of its channels are a pair. Pairs of entries that the preset itself brings were looked
    at when it was made.
    """
    known = {fold_path(entry.path) for entry in preset.channels} if preset is not None else set()
    told: set[str] = set()
    for entry in settings.channels:
        if fold_path(entry.path) in known:
            continue
        told.add(entry.path)
        others = [other.path for other in settings.channels if other.path not in told and not _pair(entry, other)]
        if others:
            yield (
                f"channels: {entry.path} and {', '.join(others)} may show the same sessions from different sources. "
                "What one shows is no evidence for the other: a correction ends on the route where the gateway has "
                "shown that it knows of the disconnect, or by a QR code or a new start"
            )


def _pair(one: Channels, other: Channels) -> bool:
    shorter, longer = sorted((fold_path(source_of(each.path)) for each in (one, other)), key=len)
    return longer == shorter or longer == f"{shorter.rstrip('/')}/{SESSION}"


def _preset(settings: Settings) -> Settings | None:
    """What the preset says by itself; None if there is none, or if it cannot be read without this configuration."""
    if settings.preset is None:
        return None
    try:
        return loads(to_yaml({"gateway": "http://127.0.0.1", "preset": settings.preset}))
    except ConfigError:  # a file that leans on this configuration, or on a variable
        return None
