"""Members of a body that may hold an event's name or a state word, told by their names and by the words in them.

A report shows the value of no other member: it may be a secret, a number, a name or a text of someone's. So a value is
shown only where the member is called what senders call an event's name, or where all its words speak of connections;
and true or false where the member is called like one that says whether a session is connected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from statusproxy.learning.members import flag_connected
from statusproxy.rehearsal.messages import Member
from statusproxy.status.fields import FALSE, TRUE

MOST: Final = 5
"""Members named for one body."""

_DEEPEST: Final = 3
"""Objects in one another that are looked at."""
_MOST_MEMBERS: Final = 500

_NAMES: Final = frozenset({
    "event", "eventname", "eventtype", "type", "datatype", "messagetype", "kind", "action", "topic", "hook",
    "hookname", "webhookevent", "trigger", "evt", "evento", "tipo", "acao", "what",
})  # fmt: skip
"""What senders call the member with an event's name; compared without case, `_` and `-`."""

_STATES: Final = frozenset({
    "status", "state", "connection", "connectionstatus", "connectionstate", "sessionstatus", "reason", "situacao",
    "estado", "motivo",
})  # fmt: skip

_LOSS: Final = (
    "disconnect", "desconect", "disconect", "desconnect", "logout", "loggedout", "logoff", "notlogged", "unlink",
    "unpair", "unauthor", "deauth", "connectionlost", "connectionclosed", "sessionclosed", "closesession",
    "browserclose", "serverclose", "sessionlost", "offline", "terminated", "autoclose", "banned", "temporaryban",
    "refused", "deletetoken", "connectfailure", "authfailure",
)  # fmt: skip
"""What event names and state words contain if they mean a loss, letters only."""

_LOSS_WORDS: Final = frozenset({
    "close", "closed", "lost", "failed", "failure", "stopped", "ended", "removed", "deleted", "conflict", "expired",
    "timeout", "dead", "down", "destroyed", "encerrado", "encerrada", "perdida", "caiu", "fechada", "fechado",
})  # fmt: skip

_OTHER_TRAFFIC: Final = frozenset({
    "message", "messages", "msg", "ack", "acks", "qr", "qrcode", "presence", "chat", "chats", "contact", "contacts",
    "group", "groups", "label", "labels", "reaction", "reactions", "call", "calls", "typing", "receipt", "rcpt", "poll",
    "story", "history", "newsletter", "blocklist", "profile", "picture", "media", "onmessage", "onanymessage",
    "onselfmessage", "onreactionmessage", "onrevokedmessage", "onpollresponse", "onpresencechanged", "onupdatelabel",
    "onparticipantschanged", "onack", "onreaction", "incomingcall", "mensagem", "mensagens", "contato",
    "contatos", "grupo", "grupos",
})  # fmt: skip
"""Words in names of events that are about something else than the session's connection."""

_CONNECTION: Final = _LOSS_WORDS | _OTHER_TRAFFIC | frozenset({
    "connection", "connected", "connecting", "connect", "update", "updated", "session", "instance", "device",
    "status", "state", "change", "changed", "open", "opened", "opening", "logged", "log", "out", "in", "login",
    "logout", "not", "disconnected", "disconnect", "ready", "auth", "authenticated", "online", "offline",
    "unpaired", "unlinked", "starting", "started", "start", "stop", "stream", "error", "phone", "mobile", "server",
    "browser", "pair", "paired", "pairing", "webhook", "ban", "banned", "working", "event", "desconectado",
    "desconectada", "conectado", "conectada", "sessao", "instancia",
})  # fmt: skip

_WORDS: Final = re.compile(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-zà-ÿ])")
_NAME: Final = re.compile(r"[A-Za-z](?:[A-Za-z]|[._:/ -](?=[A-Za-z])){1,39}", re.ASCII)
"""An event's name or a word: letters, and single separators between them."""


def looks_like_loss(name: str) -> bool:
    """Whether an event's name or a word reads as if a connection were lost."""
    words = _words(name)
    letters = "".join(words)
    return any(part in letters for part in _LOSS) or not _LOSS_WORDS.isdisjoint(words)


def is_other_traffic(event: str) -> bool:
    """Whether an event's name says that it is about messages, contacts, QR codes, and not about a loss."""
    return not looks_like_loss(event) and not _OTHER_TRAFFIC.isdisjoint(_words(event))


def name_shown(text: str) -> str:
    """A name or word that no rule knows, to be shown: `…` where it may be a number, a key or someone's text."""
    plain = _PLAIN.fullmatch(text) and sum(map(str.isdigit, text)) <= _MOST_DIGITS and text.count(" ") <= _MOST_BLANKS
    return text if plain else HIDDEN


HIDDEN: Final = "…"
_PLAIN: Final = re.compile(r"[\w.:/ -]{1,60}")
_MOST_DIGITS: Final = 4
_MOST_BLANKS: Final = 3


def members(document: object) -> list[Member]:
    """Members of a body that may hold the event's name or the word, the most likely first; at most `MOST`."""
    found = sorted(_candidates(document, "", 0, [_MOST_MEMBERS]), key=lambda one: one[0])
    return [member for _, member in found[:MOST]]


def _candidates(document: object, path: str, depth: int, left: list[int]) -> Iterator[tuple[int, Member]]:
    if type(document) is not dict:
        return
    for name, value in document.items():
        left[0] -= 1
        if left[0] < 0:
            return
        if not _NAME.fullmatch(name.replace("_", "-")):
            continue  # made of data: an id, a number
        if type(value) is str and _NAME.fullmatch(value.strip().replace("_", "-")):
            rank = _rank(name, value)
            if rank is not None:
                yield rank + depth, Member(path + name, value.strip())
        elif type(value) is bool:
            if flag_connected(name) is not None:
                yield _FLAG + depth, Member(path + name, TRUE if value else FALSE)
        elif depth + 1 < _DEEPEST:
            yield from _candidates(value, f"{path}{name}.", depth + 1, left)


_FLAG: Final = 25
"""The rank of a member that says with true or false whether a session is connected."""


def _rank(name: str, value: str) -> int | None:
    """How likely a value is an event's name, small numbers first; None where it is not to be shown."""
    called = "".join(_words(name))
    known = _CONNECTION.issuperset(_words(value))
    if called in _NAMES:
        return 0 if known or looks_like_loss(value) else 10
    if called in _STATES and (known or looks_like_loss(value)):
        return 20
    return 30 if known and not _is_private(called) else None


_PRIVATE: Final = (
    "key", "token", "secret", "pass", "auth", "text", "body", "content", "caption", "message", "name", "title",
    "mensagem", "texto", "nome", "senha",
)  # fmt: skip


def _is_private(called: str) -> bool:
    """Whether a member is called like secrets, or like what people wrote."""
    return any(part in called for part in _PRIVATE)


def _words(text: str) -> list[str]:
    """The words of a name, folded: `LoggedOut`, `logged_out` and `logged.out` are `logged`, `out`."""
    return [word.casefold() for word in _WORDS.findall(text[:200])]
