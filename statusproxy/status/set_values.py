"""What is written in a channel that is shown as disconnected: plain values, or values that go by the event's word.

A member's name may lead into objects: `instance.status`. A value that goes by the event's word says for each word what
is written, and under `*` what is written for any other; where it says nothing for a word, the member stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from statusproxy.status.fields import fold_word

Scalar = str | bool | int | float | None

OTHERWISE: Final = "*"
"""Stands for every word that is not named."""


class ByWord(msgspec.Struct, frozen=True):
    """A value for each word that an event may have said, by the folded word, and under `OTHERWISE` for the others."""

    values: Mapping[str, Scalar]


SetValue = Scalar | ByWord


def by_word(value: Scalar | Mapping[str, Scalar]) -> SetValue:
    """A value of the configuration in the form that is written, its words folded."""
    if not isinstance(value, Mapping):
        return value
    return ByWord({fold_word(word): each for word, each in value.items()})


def named_words(values: Mapping[str, SetValue]) -> frozenset[str]:
    """The words (folded) for which any of the values is a special one."""
    return frozenset(
        word for value in values.values() if isinstance(value, ByWord) for word in value.values if word != OTHERWISE
    )


def values_for(values: Mapping[str, SetValue], word: str | None) -> dict[str, Scalar]:
    """What each member is set to where the event said `word`; without the members that stay as they are then."""
    folded = OTHERWISE if word is None else fold_word(word)
    plain: dict[str, Scalar] = {}
    for name, value in values.items():
        if not isinstance(value, ByWord):
            plain[name] = value
        elif folded in value.values:
            plain[name] = value.values[folded]
        elif OTHERWISE in value.values:
            plain[name] = value.values[OTHERWISE]
    return plain


def any_values(values: Mapping[str, SetValue]) -> dict[str, Scalar]:
    """One value for each member, for any word: enough to tell which members hold a status."""
    return {name: _any_value(value) for name, value in values.items()}


def _any_value(value: SetValue) -> Scalar:
    if not isinstance(value, ByWord):
        return value
    return value.values.get(OTHERWISE, next(iter(value.values.values()), None))
