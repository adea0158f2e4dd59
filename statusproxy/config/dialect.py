"""The block `dialect`: where a gateway names things, as a file says it and as `status` reads by it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from statusproxy.config.blocks import Section
from statusproxy.config.effect import FORM, check_body
from statusproxy.config.every_gateway import every_gateway
from statusproxy.config.forms import parsed
from statusproxy.config.schema import Fields, Members, Places, ShapeOf, SomeFields, SomeMembers, Words
from statusproxy.status import dialect
from statusproxy.status.fields import Path, fold_word, parse_path


class Dialect(Section, frozen=True, kw_only=True):
    """Where this gateway's events and answers name things. What has no default here has it in `every_gateway`'s file.

    `own`, `own_ids` and `receipt` are added to the marks of all known gateways.
    """

    event: SomeFields  # the event's name
    raw_event: Fields  # the engine's name for it, where the gateway gives it another
    time: Fields  # when it happened
    clock: Literal["shared", "own"] = "shared"  # own: that time orders this sender's events, and says nothing else
    event_id: Fields  # what is the same in a repeated delivery
    own: Fields = ()  # what is true in messages of the session's own making
    own_ids: Fields = ()  # what begins with true_ in them
    receipt: ShapeOf = msgspec.field(default_factory=dict)  # what the receipt of one has
    presence: Members  # what only events about a contact or chat have
    presence_in: Places  # the objects that may have it, or the address of that contact or chat as their id
    presence_events: Words  # events that are always about one
    qr: SomeMembers  # what holds the code in the QR route's answer
    body: Annotated[str, parsed(check_body)] = "json"  # how events are packed: json, or form:MEMBER

    def value(self, *, boolean_names: bool = False) -> dialect.Dialect:
        """The dialect as the domain wants it."""
        every = every_gateway()
        return dialect.Dialect(
            event=_paths(self.event),
            boolean_names=boolean_names,
            raw_event=_paths(self.raw_event),
            time=_paths(self.time),
            own_clock=self.clock == "own",
            event_id=_paths(self.event_id),
            own=(*every.own.paths, *_paths(self.own)),
            own_ids=_paths((*every.own.ids, *self.own_ids)),
            receipts=tuple(_shape(each) for each in (every.own.receipt, self.receipt) if each),
            presence=self.presence,
            presence_in=_paths(self.presence_in),
            presence_ids=_paths(every.presence.ids),
            presence_events=_folded(self.presence_events),
            presence_words=_folded(every.presence.words),
            presence_prefixes=every.presence.prefixes,
            qr=self.qr,
            body_member=self.body.removeprefix(FORM) if self.body.startswith(FORM) else None,
        )


def _paths(fields: Sequence[str]) -> tuple[Path, ...]:
    return tuple(map(parse_path, fields))


def _shape(members: Mapping[str, str]) -> dialect.Shape:
    return dialect.Shape(
        *(
            tuple(parse_path(field) for field, has in members.items() if has == each)
            for each in dialect.Shape.__struct_fields__
        )
    )


def _folded(words: Sequence[str]) -> frozenset[str]:
    return frozenset(map(fold_word, words))
