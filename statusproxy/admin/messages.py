"""The admin listener's JSON messages as typed structs, shared by command line, doctor and page.

A field's place is its place in the JSON, and its name the key (except for two older keys, `SenderReport`). Keys that an
earlier version may not give have a default, so that a command of one version can read a proxy of another. Moments are
ISO 8601 in UTC with milliseconds where people read them (`Moment`), and epoch seconds for the doctor.
"""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from statusproxy.admin.alert_messages import AlertsReport
from statusproxy.admin.moment import Moment as Moment  # noqa: PLC0414 - here since the first release
from statusproxy.admin.spool_messages import SpoolTotals
from statusproxy.config.guidance import Guidance
from statusproxy.observe.absences import AbsenceReport
from statusproxy.observe.webhook_stats import WebhooksReport, WebhookTotals


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session: what is shown, since when and why, the last event received, what the gateway last said."""

    session: str
    channel: str | None = None
    """The channel of the gateway's list that it was found to be."""
    shows: str
    """`disconnected` while a correction is in force, else `gateway`: what the gateway says, unchanged."""
    reads: str | None = None
    """While a correction is in force: what the channel list says by it, in the gateway's own words."""
    shown_at: Moment = None
    """When an answer was first changed because of it; until then the session only will be shown so."""
    since: Moment = None
    """When it was lost; where no correction is in force, when the last one ended."""
    reason: str | None = None
    """The event that began it; where no correction is in force, how the last one ended."""
    word: str | None = None
    """The state word with which that event said so; `None` where it said so by itself."""
    caught_up: str | None = None
    """What showed that the gateway knows of the disconnect: `list`, `qr` or `created`."""
    caught_up_on: list[str] = []
    """The corrected routes on which that was seen, where it is `list`; other evidence counts for all."""
    last_event: str | None = None
    last_event_at: Moment = None
    last_message_at: Moment = None
    known: str | None = None
    """`connected` or `disconnected`, whichever its events said last."""
    known_at: Moment = None
    gateway_said: str | None = None
    """The gateway's own word, as far as it passed by."""
    gateway_said_at: Moment = None
    transient: str | None = None
    """The event and word of a transient state, such as `connecting`, that does not count yet."""
    transient_word: str | None = None
    """The gateway's own word for that state: the word of the event, or the event's name where it has none."""
    transient_due: Moment = None
    """When it counts, if it lasts."""
    released: str | None = None
    """How the last correction ended."""
    released_at: Moment = None
    state: str = ""
    """How it stands: `lost`, `reported_down`, `needs_qr`, `connected` or `unknown` (`SessionState`)."""
    listed: bool = False
    """Whether the gateway's last list has it."""
    list_shows: str | None = None
    """The word that the list shows now, corrected where a correction is in force; None where it has none."""
    released_by: str | None = None
    """Who ended the last correction by hand, as far as they said so."""
    first_heard: Moment = None
    """When the first event about it was received; the figures below begin then, or where the stored history begins."""
    lost_seconds: float = 0.0
    """How long it was lost in the last 90 UTC days, today included; a loss that lasts counts up to now."""
    losses: int = 0
    uptime: float | None = None
    """From 0 to 1, over those of these days that are known; None if none of them is known."""
    days: str = ""
    """A character for each of these days, the oldest first: `-` nothing known, `0` nothing lost, `1` to `9` tenths of
    the day lost, rounded up (`9`: more than 80 %)."""
    alerted_at: Moment = None
    """When the newest message about its present outage was made; None where nobody was told."""


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /sessions`: all sessions of the gateway's last list and all of which an event was received, each once.

    Those shown as disconnected come first, each part in natural order.
    """

    now: Moment = None
    started: Moment = None
    webhook_last_heard: Moment = None
    """When the last trusted webhook came since the start."""
    webhooks: WebhookTotals | None = None
    disconnected: int = 0
    """How many are shown, or will be shown, as disconnected."""
    list_seen_at: Moment = None
    """When the gateway's last list passed through the proxy; None if no list has since the start. In that case
    `sessions` contains only those of which an event was received."""
    counts: dict[str, int] = {}
    """How many sessions are in each state; they add up to the sessions."""
    sessions: list[Session]


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /sessions/{session}/up`: 200 where the session is up, else 503."""

    session: str
    up: bool
    state: str
    """As in `Session`, with `listed` and `list_shows`."""
    since: Moment = None
    """When it was lost, where a correction is in force."""
    list_shows: str | None = None
    listed: bool = False
    gateway_said_at: Moment = None
    """When the gateway's newest word came."""
    reason: str
    """Why, as half a sentence in the language of the settings."""


class UpAll(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /up`: 200 where every session is up, else 503."""

    up: bool
    counts: dict[str, int]
    """As in `Sessions`, with `list_seen_at`."""
    list_seen_at: Moment = None
    down: int
    """How many are down."""
    sessions: list[Up]
    """Those that are down, in natural order; at most 100."""


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history."""

    session: str
    change: str
    """`started`, `repeated`, `released` or `forgotten`."""
    reason: str
    at: Moment = None
    """When it happened; `recorded_at` is when the proxy recorded it."""
    recorded_at: Moment = None
    gateway_said: str | None = None
    """What the gateway claimed at that time."""
    by: str | None = None
    """Who did it by hand, as far as they said so."""


class History(msgspec.Struct, frozen=True):
    """`GET /history` and `GET /sessions/{session}/history`: newest first."""

    history: list[ChangeLine]


class OutageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One outage: a loss and how it ended."""

    session: str
    since: Moment
    until: Moment = None
    """None while it lasts."""
    seconds: float
    """How long it lasted, or lasts until now."""
    reason: str | None = None
    """The event that reported it; None if the history does not reach back so far."""
    word: str | None = None
    """The state word of that event."""
    gateway_said: str | None = None
    """What the gateway claimed when it was lost."""
    released: str | None = None
    """How it ended: a rule of `sessions.releases`, `evicted`, `forgotten` or `unknown`; None while it lasts."""
    released_by: str | None = None
    """Who ended it by hand, as far as they said so."""
    began_before: bool = False
    """It began at `since` or before: the history does not reach back so far."""


class OutageList(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /outages`: newest first."""

    now: Moment
    more: bool = False
    """There are older ones than `limit` allows."""
    outages: list[OutageLine]


class MonthLine(msgspec.Struct, frozen=True, kw_only=True):
    """What was lost in a calendar month (UTC) of one session, or of all that had an event."""

    month: str
    """`2026-11`."""
    session: str | None = None
    """None: all sessions together."""
    uptime: float | None = None
    """From 0 to 1, over the time that is known."""
    lost_seconds: float
    losses: int


class Uptime(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /uptime`: the newest month first; of each month all sessions together first, then each in natural order."""

    now: Moment
    complete: bool = True
    """False while the history is still being read after a start."""
    months: list[MonthLine]


class Released(msgspec.Struct, frozen=True):
    """`POST /sessions/{session}/release`."""

    session: str
    released: bool
    """Whether there was a correction to end."""
    changes: list[ChangeLine]


class Forgotten(msgspec.Struct, frozen=True):
    """`POST /sessions/{session}/forget`."""

    session: str
    forgotten: list[str]
    """The ids of the records that were removed: a session may be known by several spellings."""
    changes: list[ChangeLine]


class DamageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One damage of the stored state, and what was saved of it (`store.damage.Damage`)."""

    at: Moment = None
    cause: str = ""
    sessions: int = 0
    changes: int = 0
    pending: bool = False
    set_aside: str | None = None
    text: str
    """All of it as a sentence."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /state`: whether the stored state takes writes, and what damage is not acknowledged."""

    store: str
    """`ok`, or what is wrong."""
    damage: list[DamageLine]
    repairs: dict[str, int] = {}
    """Since the start, by cause."""


class Acknowledged(msgspec.Struct, frozen=True):
    """`POST /state/acknowledge`: how many damages were acknowledged."""

    acknowledged: int


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """`POST`, `GET` and `DELETE /learn`: whether the proxy learns from its traffic, and what it has learned."""

    learning: bool
    started: Moment = None
    """None where it was never started."""
    until: Moment = None
    """When it ends by itself, or has ended."""
    events: int = 0
    answers: int = 0
    skipped: int = 0
    """Events and answers that were not looked at: too many in a second, too large, or not readable."""
    failure: str | None = None
    """The kind of error that ended it, if one did."""
    draft: str | None = None
    """The draft preset in YAML; `GET` alone has it."""


class Alive(msgspec.Struct, frozen=True):
    """`GET /healthz`: the process is alive and its loop turns."""

    status: str
    version: str


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """`GET /readyz`: whether what the proxy needs works. Keys with a default stand there only where they say something.

    `error`: the store accepts no writes, or the gateway cannot be reached. `degraded`: all works, but the stored state
    was damaged, and no operator has acknowledged it. `draining`: the proxy is about to stop; send it nothing new.
    """

    status: str
    """`ok`, `degraded`, `error` or `draining`."""
    store: str
    """`ok`, or what is wrong; the same for `gateway`."""
    gateway: str
    missing: list[str] = []
    """What a proxy in front leaves out (`absences`)."""
    damage: list[str] = []
    """Sentences."""
    journal: str | None = None
    """With a store on a server: `ok`, `off`, or why changes would be lost if server and proxy failed together. It does
    not make the proxy unready: as long as the server is there, nothing is at risk."""
    proxies: list[str] = []
    """With a store that proxies share: those that do, this one included."""


class SelfReport(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /doctor`: what a running proxy tells `statusproxy doctor`; times in epoch seconds. No secret is in it."""

    version: str
    pid: int
    now: float
    started: float
    listening: list[str] = []
    settings: str
    """The settings in force as YAML, masked as `check` prints them."""
    waiting: list[str] = []
    """The keys that were changed in the file and wait for a restart."""
    given: list[str] = []
    """The keys that the command line sets, whatever the file says."""
    health: Health
    webhooks: WebhooksReport
    absences: list[AbsenceReport] = []
    forwarding_strangers: list[str] = []
    """Peers that claim to speak for others (`X-Forwarded-For`), and are no trusted proxies."""
    spool: SpoolTotals | None = None
    """Totals of the stored events, which their receiver did not accept; None if events are never stored."""
    alerts: AlertsReport | None = None
    """Alerts, without the outages and messages; None of an older proxy."""


class Refusal(msgspec.Struct, frozen=True):
    """Any answer with a status of 400 or more."""

    error: str


class Hello(msgspec.Struct, frozen=True):
    """The stream's event `hello`: a new beginning, with `total` sessions to come."""

    version: str
    total: int
    gateway_url: str
    guidance: Guidance


class Heard(msgspec.Struct, frozen=True):
    """Webhook totals since the start and the sessions in each state, part of several events of the stream."""

    webhook_last_heard: Moment
    webhooks: WebhookTotals
    started: Moment
    list_seen_at: Moment
    counts: dict[str, int]
    """As in `Sessions`."""


class Gone(msgspec.Struct, frozen=True):
    """The stream's event `gone`: sessions that were forgotten, left the list, or are another's spelling."""

    sessions: list[str]


Message = TypeVar("Message", bound=msgspec.Struct)


def to_text(*messages: msgspec.Struct, compact: bool = False, **more: Any) -> str:
    """The keys of all messages, and `more` behind them, as one JSON object.

    In ASCII: JSON's escapes take what UTF-8 cannot, a lone surrogate in an id.
    """
    if compact and not more and len(messages) == 1:
        with contextlib.suppress(UnicodeEncodeError):  # a lone surrogate
            text = msgspec.json.encode(messages[0])  # a tenth of the time that `json` takes
            if text.isascii():
                return text.decode("ascii")
    members: dict[str, Any] = {}
    for message in messages:
        members |= msgspec.to_builtins(message)
    return json.dumps(members | more, separators=(",", ":") if compact else None)


def read(answer: Mapping[str, Any], kind: type[Message]) -> Message:
    """An answer as the message that it is. Raises `msgspec.ValidationError` where it is another."""
    return msgspec.convert(answer, kind)
