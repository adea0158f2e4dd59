"""The words of messages in Brazilian Portuguese: the same names as in English."""

from collections.abc import Mapping
from typing import Final

__all__ = [
    "AND_MORE",
    "CAUSES",
    "CONNECTED_TITLES",
    "DATE",
    "EVENT",
    "GATEWAY_CLAIMS",
    "GATEWAY_CLAIMS_IN_LINE",
    "RECONNECT",
    "RELEASED",
    "REMINDERS",
    "SPAN_UNITS",
    "TELLS",
    "TITLES",
    "UNKNOWN_END",
    "WAY_BACK",
    "WORD_OF_EVENT",
]

DATE: Final = "%d/%m/%Y %H:%M"

SPAN_UNITS: Final = ("d", "h", "min", "s")

TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "session.lost": ("{session} está desconectada", "{count} sessões estão desconectadas"),
    "session.back": (
        "{session} não aparece mais como desconectada",
        "{count} sessões não aparecem mais como desconectadas",
    ),
    "gateway.down": ("O gateway está inacessível", ""),
    "gateway.back": ("O gateway voltou a responder", ""),
    "webhooks.silent": ("Os webhooks pararam de chegar", ""),
    "webhooks.back": ("Os webhooks voltaram a chegar", ""),
    "store.failing": ("Não é possível gravar o estado", ""),
    "store.back": ("O estado voltou a ser gravado", ""),
    "spool.stuck": ("Os eventos guardados não estão sendo entregues", ""),
    "spool.back": ("Os eventos guardados voltaram a ser entregues", ""),
    "test": ("Mensagem de teste do statusproxy", ""),
}
CONNECTED_TITLES: Final = ("{session} voltou a conectar", "{count} sessões voltaram a conectar")
REMINDERS: Final[Mapping[str, tuple[str, str]]] = {
    "session.lost": ("{session} continua desconectada", "{count} sessões continuam desconectadas"),
    "gateway.down": ("O gateway continua inacessível", ""),
    "webhooks.silent": ("Os webhooks continuam sem chegar", ""),
    "store.failing": ("Continua não sendo possível gravar o estado", ""),
    "spool.stuck": ("Os eventos guardados continuam sem ser entregues", ""),
}

TELLS: Final[Mapping[str, tuple[str, str]]] = {
    "session.lost": (
        ", desde {since} ({span} antes desta mensagem): {why}.{claim}",
        "- {session}: desde {since} ({span} antes desta mensagem), {why}{claim}",
    ),
    "session.back": (
        ", desde {ended}: {how}. Ficou desconectada por {span}, desde {since}.",
        "- {session}: desde {ended}, {how}; ficou desconectada por {span}",
    ),
    "gateway.down": (
        (
            ", desde {since} ({span} antes desta mensagem): {reason}. Os clientes recebem erros, e não se "
            "vê nenhuma sessão. Confira se ele está em execução e se `gateway` no config.yaml é o endereço dele."
        ),
        "",
    ),
    "gateway.back": (", desde {ended}, depois de {span}.", ""),
    "webhooks.silent": (
        (
            ", desde {since} ({span} antes desta mensagem): {reason}. Uma sessão que caia agora passa despercebida. "
            "`statusproxy doctor` mostra como os webhooks devem chegar."
        ),
        "",
    ),
    "webhooks.back": (", desde {ended}, depois de {span}.", ""),
    "store.failing": (
        (
            ", desde {since} ({span} antes desta mensagem): {reason}. O que acontecer agora se perderia ao "
            "reiniciar. Confira o disco, ou o servidor, de `state.url`."
        ),
        "",
    ),
    "store.back": (", desde {ended}, depois de {span}.", ""),
    "spool.stuck": (
        ", desde {since} ({span} antes desta mensagem): {reason}. `statusproxy spool list` lista os eventos pendentes.",
        "",
    ),
    "spool.back": (", desde {ended}, depois de {span}.", ""),
    "test": (": os alertas chegam até aqui. Não há nada de errado.", ""),
}

GATEWAY_CLAIMS: Final = " O gateway afirma: {said}."
GATEWAY_CLAIMS_IN_LINE: Final = "; o gateway afirma: {said}"

RECONNECT: Final = ("Reconecte a sessão no hub.", "Reconecte as sessões no hub.")
WAY_BACK: Final = "Ou peça ao gateway ({title}): {routes}"
AND_MORE: Final = "e mais {count}"

RELEASED: Final[Mapping[str, str]] = {
    "connected-event": "um evento disse que conectou",
    "reconnected": "foi conectada de novo",
    "deleted": "a sessão foi excluída",
    "alive": "chegou uma mensagem",
    "operator": "liberada manualmente, sem que se saiba se está conectada",
    "expired": "a correção expirou, e não se sabe se está conectada",
    "evicted": "sessões demais para lembrar, e não se sabe se está conectada",
    "forgotten": "removida manualmente, sem que se saiba se está conectada",
}
UNKNOWN_END: Final = "não se sabe como terminou"

CAUSES: Final[Mapping[str, str]] = {
    "disconnectedmobile": "desvinculada no celular",
    "desconnectedmobile": "desvinculada no celular",
    "browserclose": "o navegador do motor fechou",
    "serverclose": "o motor a encerrou",
    "autoclosecalled": "o motor desistiu de esperar o QR code",
    "phonenotconnected": "o celular está inacessível",
    "notlogged": "não está logada",
    "qrreadfail": "a leitura do QR code falhou",
    "qrreaderror": "a leitura do QR code falhou",
    "deletetoken": "o login foi excluído",
    "closesession": "a sessão foi fechada",
    "logoutsession": "a sessão saiu da conta",
    "close": "a conexão foi fechada",
    "closed": "a conexão foi fechada",
    "disconnected": "desconectada",
    "unavailable": "indisponível",
}
EVENT: Final = "evento {event}"
WORD_OF_EVENT: Final = "evento {event} com {word}"
