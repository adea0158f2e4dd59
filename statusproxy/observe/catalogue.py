"""The catalogue of all metrics: name, type, labels, meaning, and when to look at each. Exposition and docs go by it.

A metric's family is made by its name (`families`), so that none is exposed that is not described here.
docs/monitoring.md shows the catalogue: `.venv/bin/python -m tests.metrics_page` writes it there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    """The type of a metric, as Prometheus spells it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Described(msgspec.Struct, frozen=True):
    """One metric."""

    name: str
    """As it is scraped: with `_total` for a counter, without `_bucket` for a histogram."""
    kind: Kind
    text: str
    """What its value says: the `# HELP` line."""
    when: str
    """When to look at it."""
    labels: Mapping[str, str] = {}
    """What the values of each label are."""


class Part(msgspec.Struct, frozen=True):
    """Metrics that are about one thing."""

    title: str
    about: str
    metrics: tuple[Described, ...]


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

_ROUTE: Final = "what the proxy does with the request: pass, webhook, channels, qr, create, delete, not_found"
_SESSION: Final = "the session's id, its first 128 characters"
_TO: Final = "gateway, hub"

_TRAFFIC: Final = Part(
    "Traffic",
    "",
    (
        Described(
            "statusproxy_requests_total", _COUNTER,
            "Requests finished. Status 499: the client left before its answer was whole; 0: a stop cut it off.",
            "the hub reports errors, or the load has changed",
            {"route": _ROUTE, "method": "the method, or other", "status": "the status sent to the client"},
        ),
        Described(
            "statusproxy_request_problems_total", _COUNTER,
            "Requests that failed, or that the proxy answered itself.",
            "statuses 4xx or 5xx rise: the code says at which hop and why",
            {"code": "as error_code in the answer, such as gateway_unreachable"},
        ),
        Described(
            "statusproxy_request_seconds", _HISTOGRAM,
            "Seconds from a request's head to its answer's last byte.",
            "the hub is slow: this is what it waits for",
            {"route": _ROUTE},
        ),
        Described(
            "statusproxy_gateway_seconds", _HISTOGRAM,
            "Seconds from sending a request on to the head of its answer.",
            "the hub is slow: this is the gateway's share",
            {"route": _ROUTE},
        ),
        Described(
            "statusproxy_own_seconds", _HISTOGRAM,
            "Seconds of a request not spent waiting for the gateway's head: the proxy's work, and the bodies.",
            "the hub is slow: this is the proxy's share, and the time that clients take for long bodies",
            {"route": _ROUTE},
        ),
        Described(
            "statusproxy_requests_missing_total", _COUNTER,
            "Requests that lacked what a proxy in front should have passed on.",
            "it rises: nginx or another proxy in front lacks a line; statusproxy doctor has it",
            {"what": "client (X-Forwarded-For), upgrade (the Upgrade of a WebSocket)"},
        ),
        Described(
            "statusproxy_bytes_total", _COUNTER,
            "Bytes carried: of requests' bodies, and of answers.",
            "the network is full",
            {"direction": "request, answer"},
        ),
        Described(
            "statusproxy_requests_in_flight", _GAUGE,
            "Requests under way.",
            "it grows and does not fall: the gateway answers more slowly than it is asked",
        ),
        Described(
            "statusproxy_upstream_connections", _GAUGE,
            "Connections to the gateway, and to the hub.",
            "active stays near limits.upstream_connections: requests wait for a connection",
            {"to": _TO, "state": "active, idle"},
        ),
        Described(
            "statusproxy_upstream_connections_opened_total", _COUNTER,
            "Connections opened.",
            "it rises as quickly as the requests: the gateway closes each connection",
            {"to": _TO},
        ),
        Described(
            "statusproxy_gateway_up", _GAUGE,
            "1 if the gateway took a connection at this scrape, 0 if not.",
            "requests fail: at 0 the gateway is down, or not where the configuration says",
        ),
    ),
)  # fmt: skip

_EVENTS: Final = Part(
    "Events and corrections",
    "",
    (
        Described(
            "statusproxy_signals_total", _COUNTER,
            "Webhooks read, by what they say and what became of it.",
            "a session is dead and nothing was corrected: did its event come, and was it trusted?",
            {
                "kind": "connected, disconnected, transient, alive, none",
                "verdict": "applied, late, duplicate, unchanged, presence, nameless (a known state without a session), "
                "untrusted, and others",
            },
        ),
        Described(
            "statusproxy_unread_total", _COUNTER,
            "Webhooks and other bodies that could not be looked at and passed as they came.",
            "it rises: events may be missed",
            {"what": "webhook, qr, …", "reason": "such as not-json, too-large"},
        ),
        Described(
            "statusproxy_last_webhook_timestamp_seconds", _GAUGE,
            "When the last trusted webhook came, or the start where there was none; epoch seconds.",
            "losses are not noticed: no event passes through the proxy any more",
        ),
        Described(
            "statusproxy_overrides_started_total", _COUNTER,
            "Corrections that came into force.",
            "many sessions fall at once: the engine, the network or the phone provider",
        ),
        Described(
            "statusproxy_overrides_repeated_total", _COUNTER,
            "Disconnects reported once more while a correction was in force.",
            "the engine tries again and again to bring a session back",
        ),
        Described(
            "statusproxy_releases_total", _COUNTER,
            "Corrections that ended.",
            "corrections end for a reason that you do not expect",
            {"reason": "connected-event, reconnected, deleted, alive, operator, expired, evicted"},
        ),
        Described(
            "statusproxy_answers_corrected_total", _COUNTER,
            "Answers in which something was corrected.",
            "a correction is in force and the hub still shows connected: does it ask for the list?",
        ),
        Described(
            "statusproxy_channels_corrected_total", _COUNTER,
            "Channels corrected in answers.",
            "as statusproxy_answers_corrected_total",
        ),
        Described(
            "statusproxy_correction_failures_total", _COUNTER,
            "Lists that could not be corrected and passed as they came.",
            "it rises: the hub sees the gateway's own list; the reason says why",
            {"reason": "such as not-json, too-large"},
        ),
    ),
)  # fmt: skip

_SESSIONS: Final = Part(
    "Sessions",
    "At most 500 sessions have series of their own: the lost ones first, then those that the gateway's list names. "
    "Proxies that share a state say the same of each session: take the `max`.",
    (
        Described(
            "statusproxy_session_state", _GAUGE,
            "1 for the state that a session is in, 0 for the others.",
            "you want to know which numbers do not work",
            {
                "session": _SESSION,
                "state": "lost (a correction is in force), reported_down (the gateway itself says so), needs_qr (it "
                "waits for a scan, or starts), connected, unknown (not heard of)",
            },
        ),
        Described(
            "statusproxy_sessions", _GAUGE,
            "Sessions that events told of.",
            "it grows without end: something makes up sessions",
        ),
        Described(
            "statusproxy_sessions_without_series", _GAUGE,
            "Sessions beyond those that have series of their own.",
            "a session is missing in the dashboard",
        ),
        Described(
            "statusproxy_sessions_evicted_total", _COUNTER,
            "Sessions forgotten for lack of room (sessions.max_sessions).",
            "it rises: there are more sessions than the map has room for; those that the gateway's list names go last",
        ),
        Described(
            "statusproxy_sessions_forgotten_total", _COUNTER,
            "Sessions removed by an operator (statusproxy forget).",
            "a session's history ends",
        ),
        Described(
            "statusproxy_overrides", _GAUGE,
            "Sessions whose next answer reads disconnected: corrections in force.",
            "as statusproxy_session_state, for all sessions together",
        ),
        Described(
            "statusproxy_overrides_shown", _GAUGE,
            "Sessions that an answer has shown as disconnected, of those with a correction in force.",
            "it stays below statusproxy_overrides: the hub does not ask for the list through the proxy",
        ),
        Described(
            "statusproxy_override_since_timestamp_seconds", _GAUGE,
            "When a session with a correction in force was disconnected, epoch seconds.",
            "a session is lost: since when?",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_losses_total", _COUNTER,
            "Times that a session was lost.",
            "a number is lost more often than others",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_flaps_total", _COUNTER,
            "Losses that were over within 60 seconds.",
            "a number comes and goes: the phone's network, or two engines that use one number",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_lost_seconds_total", _COUNTER,
            "Seconds for which a session was lost; it grows while the session is.",
            "you want the uptime of a number: 1 - rate(…[30d])",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_last_event_timestamp_seconds", _GAUGE,
            "When any event about a session came, presence of its contacts included; epoch seconds.",
            "a session is dead and reads connected: do its events pass through the proxy?",
            {"session": _SESSION},
        ),
        Described(
            "statusproxy_session_last_message_timestamp_seconds", _GAUGE,
            "When a message or call came in on a session, epoch seconds.",
            "a number reads connected and its customers are silent",
            {"session": _SESSION},
        ),
    ),
)  # fmt: skip

_SPOOL: Final = Part(
    "Kept events",
    "What [the spool](spool.md) holds and did. The gauges are there unless the state is `memory:`. Of proxies that "
    "share a state in Redis all say the same in `_entries`, `_unknown`, `_dead`, `_bytes` and "
    "`_oldest_timestamp_seconds`: take the `max`. The others are each proxy's own: take the `sum`.",
    (
        Described(
            "statusproxy_spool_entries", _GAUGE,
            "Events kept, by any proxy that shares the state, by what they wait for.",
            "the gateway was away: how much is still to be delivered?",
            {"state": "waiting (for delivery), unknown (sent and not answered), dead (refused for good)"},
        ),
        Described(
            "statusproxy_spool_unknown", _GAUGE,
            "Events sent and not answered: they may have arrived.",
            "it is not 0: someone has to decide; statusproxy spool list",
        ),
        Described(
            "statusproxy_spool_dead", _GAUGE,
            "Events that their receiver refuses for good.",
            "it is not 0: someone has to decide; statusproxy spool list",
        ),
        Described(
            "statusproxy_spool_bytes", _GAUGE,
            "Bytes of all events kept, by any proxy that shares the state.",
            "it comes near spool.max_bytes: beyond, events are refused",
        ),
        Described(
            "statusproxy_spool_oldest_timestamp_seconds", _GAUGE,
            "When the oldest event that waits for its delivery came, at any proxy that shares the state, epoch "
            "seconds; absent while none waits.",
            "events arrive late",
        ),
        Described(
            "statusproxy_spool_circuit_open", _GAUGE,
            "1 while this proxy does not try a receiver, except for one event now and then.",
            "events wait: the receiver was away at the last attempts",
            {"to": _TO},
        ),
        Described(
            "statusproxy_spool_kept_total", _COUNTER,
            "Events kept by this proxy, by why they were not delivered at once.",
            "the gateway restarts often, or refuses events",
            {"reason": "queued (behind others of its session), not-sent, refused, no-answer"},
        ),
        Described(
            "statusproxy_spool_not_kept_total", _COUNTER,
            "Events that this proxy could not keep: their senders were told so.",
            "it rises: events are refused",
            {"reason": "full, store"},
        ),
        Described(
            "statusproxy_spool_delivered_total", _COUNTER,
            "Kept events that this proxy delivered.",
            "the gateway is back: does the backlog go down?",
        ),
        Described(
            "statusproxy_spool_dropped_total", _COUNTER,
            "Kept events that this proxy dropped undelivered.",
            "it rises: events were lost; the log says which",
            {"reason": "age (spool.max_age), operator, lost (unreadable, or the server lost its memory)"},
        ),
    ),
)  # fmt: skip

_ALERTS: Final = Part(
    "Alerts",
    "What the proxy's own alerts (`alerts:` in the configuration) did.",
    (
        Described(
            "statusproxy_alert_deliveries_total", _COUNTER,
            "Attempts to bring a message to a target of alerts.",
            "messages do not arrive: statusproxy alerts list has each error",
            {"target": "kind and host of the target", "result": "sent, failed"},
        ),
        Described(
            "statusproxy_alerts_waiting", _GAUGE,
            "Deliveries of alerts that are not made yet; absent where no alerts are configured.",
            "it stays above 0: a target does not take messages",
        ),
        Described(
            "statusproxy_heartbeats_total", _COUNTER,
            "Heartbeats (alerts.heartbeat): answered, failed, or withheld since store or gateway did not answer.",
            "the monitor says that the proxy is down, and it is up",
            {"result": "answered, failed, withheld"},
        ),
    ),
)  # fmt: skip

_PROCESS: Final = Part(
    "The process",
    "The metrics `process_*` are those of Prometheus' library.",
    (
        Described(
            "statusproxy_event_loop_lag_seconds", _HISTOGRAM,
            "Seconds by which a timer, due ten times a second, ran late.",
            "everything is a little slow: which share of requests waited?",
        ),
        Described(
            "statusproxy_event_loop_lag_max_seconds", _GAUGE,
            "The longest of these in the last minute.",
            "requests wait for the proxy itself: processor, steal, other programs",
        ),
        Described(
            "statusproxy_store_healthy", _GAUGE,
            "1 if the last write of the state succeeded, 0 if not.",
            "it is 0: changes are not durable; log and /readyz say why",
        ),
        Described(
            "statusproxy_store_failures_total", _COUNTER,
            "Writes of the state that failed.",
            "it rises: disk full, Redis away",
        ),
        Described(
            "statusproxy_proxies", _GAUGE,
            "With the state in Redis: proxies that share it, this one included.",
            "a proxy is missing",
        ),
        Described(
            "statusproxy_shared_changes_total", _COUNTER,
            "With the state in Redis: sessions' records that other proxies wrote.",
            "proxies show different states",
            {"what": "received, merged (both wrote at once)"},
        ),
        Described(
            "statusproxy_state_damage", _GAUGE,
            "Damages of the stored state that no operator has acknowledged.",
            "it is not 0: statusproxy state show says what was saved",
        ),
        Described(
            "statusproxy_state_repairs_total", _COUNTER,
            "Repairs of the stored state, by what had happened to its files.",
            "it rises: something writes to the state's files, or the disk fails",
            {"cause": "damaged, deleted, replaced"},
        ),
        Described(
            "statusproxy_build_info", _GAUGE,
            "1; the labels say which version runs.",
            "something changed: was it an upgrade?",
            {"version": "of statusproxy", "python": "of Python"},
        ),
        Described(
            "process_start_time_seconds", _GAUGE,
            "Start time of the process since unix epoch in seconds.",
            "counters fall to 0: was it a restart?",
        ),
        Described(
            "process_cpu_seconds_total", _COUNTER,
            "Total user and system CPU time spent in seconds.",
            "the event loop lags",
        ),
        Described(
            "process_resident_memory_bytes", _GAUGE,
            "Resident memory size in bytes.",
            "the machine runs out of memory",
        ),
        Described(
            "process_virtual_memory_bytes", _GAUGE,
            "Virtual memory size in bytes.",
            "rarely: memory that is in use is process_resident_memory_bytes",
        ),
        Described(
            "process_open_fds", _GAUGE,
            "Number of open file descriptors.",
            "it comes near process_max_fds",
        ),
        Described(
            "process_max_fds", _GAUGE,
            "Maximum number of open file descriptors.",
            "as process_open_fds",
        ),
    ),
)  # fmt: skip

#: All metrics, in the order of the docs.
PARTS: Final = (_TRAFFIC, _EVENTS, _SESSIONS, _SPOOL, _ALERTS, _PROCESS)

#: All metrics by name.
METRICS: Final = {metric.name: metric for part in PARTS for metric in part.metrics}
