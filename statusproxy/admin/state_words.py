"""The state of a session as text, for monitors and badges; in the language of the settings."""

from collections.abc import Mapping
from typing import Final

from statusproxy.registry.session_rows import Row
from statusproxy.status.session_state import SessionState

#: A few words each: what a badge has room for.
SHORT: Final[Mapping[str, Mapping[SessionState, str]]] = {
    "en": {
        SessionState.LOST: "lost",
        SessionState.REPORTED_DOWN: "down",
        SessionState.NEEDS_QR: "needs QR",
        SessionState.CONNECTED: "connected",
        SessionState.UNKNOWN: "unknown",
    },
    "pt-BR": {
        SessionState.LOST: "caiu",
        SessionState.REPORTED_DOWN: "desconectada",
        SessionState.NEEDS_QR: "aguarda QR",
        SessionState.CONNECTED: "conectada",
        SessionState.UNKNOWN: "desconhecida",
    },
}

_REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "lost": "lost, according to the event {event}",
        "lost-claim": "lost, according to the event {event}; the gateway still says {word}",
        "reported_down": "the gateway says {word}",
        "needs_qr": "the gateway says {word}: it is waiting for someone to link the phone, or starting",
        "connected": "the gateway says {word}",
        "connected-event": "an event said that it is connected",
        "not-listed": "the gateway's last list does not have it",
        "silent": "neither the gateway nor an event has said its state since the start",
        "strange": "the gateway says {word}, a status that the proxy does not know",
    },
    "pt-BR": {
        "lost": "caiu pelo evento {event}",
        "lost-claim": "caiu pelo evento {event}; o gateway ainda diz {word}",
        "reported_down": "o gateway diz {word}",
        "needs_qr": "o gateway diz {word}: aguarda alguém vincular o celular, ou está iniciando",
        "connected": "o gateway diz {word}",
        "connected-event": "um evento disse que está conectada",
        "not-listed": "a última lista do gateway não a tem",
        "silent": "nem o gateway nem um evento informou o estado dela desde o início",
        "strange": "o gateway diz {word}, um status que o proxy não conhece",
    },
}


def reason(row: Row, language: str, *, list_seen: bool) -> str:
    """Why a session counts as it does, as half a sentence. `list_seen`: a list of the gateway has passed."""
    override = None if row.record is None else row.record.override
    event = ""
    if override is not None:
        event = override.event if override.word is None else f"{override.event} {override.word}"
    return _REASONS[language][_case(row, list_seen=list_seen)].format(
        event=event, word="" if row.claim is None else row.claim.word
    )


def _case(row: Row, *, list_seen: bool) -> str:
    said = row.claim is not None
    if row.state is SessionState.LOST:
        return "lost-claim" if row.claim is not None and row.claim.connected and not row.claim.down else "lost"
    if row.state is SessionState.CONNECTED:
        return "connected" if said else "connected-event"
    if row.state is SessionState.UNKNOWN:
        if said:
            return "strange"
        return "not-listed" if list_seen and not row.listed else "silent"
    return row.state.value
