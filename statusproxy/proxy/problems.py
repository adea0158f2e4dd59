"""The proxy's own error answers, worded for the client that reads them.

The hub shows `error` to a person and looks into its wording (see the gateway's contract): the word "timeout" books
a text as *perhaps delivered*, so it stands only where the request may have reached the gateway; "session" and
"disconnect" together book a lost session, so neither stands anywhere. The text is never empty and never HTML.
"""

import json
from typing import Final, Literal

import msgspec

from statusproxy.proxy.date_field import date_now

Language = Literal["en", "pt-BR"]
Hop = Literal["client", "proxy", "gateway", "hub"]

#: The registered methods that this proxy serves. It passes on others too, and TRACE with hops left (`Max-Forwards`).
ALLOW: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Problem(msgspec.Struct, frozen=True):
    """One kind of error: its status, the hop that failed, and what is said of it in each language."""

    code: str
    status: int
    reason: bytes
    en: str
    pt: str
    hop: Hop = "gateway"
    retry_after: int | None = None
    """Seconds after which trying again makes sense."""
    allow: bytes | None = None
    """The methods that are served, which a 405 must name (RFC 9110 §15.5.6)."""


def _table(*problems: Problem) -> dict[str, Problem]:
    return {problem.code: problem for problem in problems}


PROBLEMS: Final = _table(
    Problem(
        "bad_request", 400, b"Bad Request",
        "The request is not valid HTTP.",
        "A requisição não é HTTP válido.", "client",
    ),
    Problem(
        "method_not_allowed", 405, b"Method Not Allowed",
        "The proxy does not serve this method.",
        "O proxy não atende este método.", "client", allow=ALLOW,
    ),
    Problem(
        "tap_not_found", 404, b"Not Found",
        "Only POST of events is accepted at this address.",
        "Este endereço aceita apenas POST de eventos.", "client",
    ),
    Problem(
        "request_head_too_slow", 408, b"Request Timeout",
        "The head of the request did not arrive in time; nothing was forwarded.",
        "O cabeçalho da requisição não chegou a tempo; nada foi encaminhado.", "client",
    ),
    Problem(
        "request_body_too_slow", 408, b"Request Timeout",
        "The body of the request arrived too slowly, so the request was given up (timeout).",
        "O corpo da requisição chegou devagar demais e a requisição foi abandonada (timeout).", "client",
    ),
    Problem(
        "request_body_incomplete", 408, b"Request Timeout",
        "The body of the request did not arrive in time; nothing was forwarded.",
        "O corpo da requisição não chegou a tempo; nada foi encaminhado.", "client",
    ),
    Problem(
        "webhook_body_too_slow", 503, b"Service Unavailable",
        "The body of the event arrived too slowly, so the request was given up (timeout).",
        "O corpo do evento chegou devagar demais e a requisição foi abandonada (timeout).", "client", 1,
    ),
    Problem(
        "webhook_body_incomplete", 503, b"Service Unavailable",
        "The body of the event did not arrive in time; nothing was forwarded.",
        "O corpo do evento não chegou a tempo; nada foi encaminhado.", "client", 1,
    ),
    Problem(  # counted and logged, never sent; the number is nginx's
        "client_gone", 499, b"Client Closed Request",
        "The client left before its answer was complete.",
        "O cliente desconectou antes de receber a resposta completa.", "client",
    ),
    Problem(
        "body_too_large", 413, b"Content Too Large",
        "The body of the request is larger than the proxy accepts.",
        "O corpo da requisição é maior do que o proxy aceita.", "client",
    ),
    Problem(
        "target_too_long", 414, b"URI Too Long",
        "The address of the request is too long.",
        "O endereço da requisição é longo demais.", "client",
    ),
    Problem(
        "head_too_large", 431, b"Request Header Fields Too Large",
        "The header fields of the request are too large or too many.",
        "Os cabeçalhos da requisição são grandes ou numerosos demais.", "client",
    ),
    Problem(
        "internal", 500, b"Internal Server Error",
        "The proxy itself failed on this request.",
        "O próprio proxy falhou nesta requisição.", "proxy",
    ),
    Problem(  # RFC 5842 §7.2
        "loop", 508, b"Loop Detected",
        "The request keeps coming back to the proxy: an address that it forwards to leads here again.",
        "A requisição volta sempre ao proxy: um endereço para onde ele encaminha leva de novo para cá.", "proxy",
    ),
    Problem(
        "gateway_unreachable", 502, b"Bad Gateway",
        "The gateway cannot be reached: it refuses connections or is not running. The request was not sent.",
        "Não foi possível conectar ao gateway: ele recusa conexões ou não está em execução. "
        "A requisição não foi enviada.",
    ),
    Problem(
        "gateway_name_unknown", 502, b"Bad Gateway",
        "The gateway's host name cannot be resolved. The request was not sent.",
        "O nome do host do gateway não pôde ser resolvido. A requisição não foi enviada.",
    ),
    Problem(
        "gateway_tls_failed", 502, b"Bad Gateway",
        "No secure connection to the gateway could be made. The request was not sent.",
        "Não foi possível estabelecer conexão segura com o gateway. A requisição não foi enviada.",
    ),
    Problem(
        "gateway_closed", 502, b"Bad Gateway",
        "The gateway closed the connection without an answer; the request may have arrived (treat as a timeout).",
        "O gateway fechou a conexão sem responder; a requisição pode ter chegado (tratar como timeout).",
    ),
    Problem(
        "gateway_bad_answer", 502, b"Bad Gateway",
        "The gateway's answer is not valid HTTP; the request has arrived (treat as a timeout).",
        "A resposta do gateway não é HTTP válido; a requisição chegou (tratar como timeout).",
    ),
    Problem(
        "gateway_connect_slow", 504, b"Gateway Timeout",
        "The gateway did not accept the connection in time. The request was not sent.",
        "O gateway não aceitou a conexão a tempo. A requisição não foi enviada.",
    ),
    Problem(
        "gateway_timeout", 504, b"Gateway Timeout",
        "The gateway did not answer in time (timeout); the request may have arrived.",
        "O gateway não respondeu a tempo (timeout); a requisição pode ter chegado.",
    ),
    Problem(
        "overloaded", 503, b"Service Unavailable",
        "The proxy has reached its limit of open connections. The request was not sent.",
        "O proxy atingiu o limite de conexões abertas. A requisição não foi enviada.",
        "proxy", 1,
    ),
    Problem(
        "not_kept", 502, b"Bad Gateway",
        "Earlier events still wait for their receiver, and this one could not be queued behind them. It was not sent.",
        "Eventos anteriores ainda aguardam o destino e este não pôde ser guardado atrás deles. Ele não foi enviado.",
        "proxy",
    ),
)  # fmt: skip


#: Codes in place of others where a webhook is answered. Engines take some or all 4xx for the receiver's last word and
#: drop the event: what may go well next time is none. What no retry changes (a body or head beyond its limit, no HTTP
#: at all) stays one.
FOR_SENDERS: Final = {
    "request_body_too_slow": "webhook_body_too_slow",
    "request_body_incomplete": "webhook_body_incomplete",
}


def error_body(problem: Problem, request_id: str, language: Language, hop: Hop | None = None) -> bytes:
    """The JSON document for `problem`: `success`, `error` (a string), `error_code`, `hop`, `request_id`.

    `hop` names another failing hop than the table's, where a webhook was on its way to the hub: the text then
    says so.
    """
    text = problem.pt if language == "pt-BR" else problem.en
    if hop == "hub":
        for word, other in _HUB_WORDS[language]:
            text = text.replace(word, other)
    document = {
        "success": False,
        "error": text,
        "error_code": problem.code if hop != "hub" else problem.code.replace("gateway_", "hub_"),
        "hop": hop or problem.hop,
        "request_id": request_id,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


_HUB_WORDS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "en": (("The gateway", "The webhook's receiver"), ("the gateway", "the webhook's receiver")),
    "pt-BR": (("gateway", "destino do webhook"),),
}


def error_answer(
    problem: Problem,
    request_id: str,
    language: Language,
    *,
    close: bool,
    head_only: bool = False,
    hop: Hop | None = None,
) -> bytes:
    """The whole answer for `problem` in one piece, head and body; `head_only` for HEAD, `close` ends the connection."""
    body = error_body(problem, request_id, language, hop)
    lines = [
        b"HTTP/1.1 %d %b" % (problem.status, problem.reason),
        b": ".join(date_now()),
        b"Content-Type: application/json; charset=utf-8",
        b"Content-Length: %d" % len(body),
        b"Cache-Control: no-store",
        b"X-Request-Id: %b" % request_id.encode("latin-1", "replace"),
    ]
    if problem.retry_after is not None:
        lines.append(b"Retry-After: %d" % problem.retry_after)
    if problem.allow is not None:
        lines.append(b"Allow: %b" % problem.allow)
    if close:
        lines.append(b"Connection: close")
    lines.append(b"\r\n" + (b"" if head_only else body))
    return b"\r\n".join(lines)
