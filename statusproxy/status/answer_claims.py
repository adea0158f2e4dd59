"""What an answer says of itself: that the request failed, or that the session is connected already.

Gateways answer 200 to requests that they refused, and to starts that did nothing. Their words differ, so both questions
are answered on the cautious side: what reads like a failure or a claim is treated as one. Members are compared without
case, `_` and `-`, at any depth and in lists.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final, NamedTuple

from statusproxy.status.fields import fold_word

MOST_VALUES: Final = 2_000
"""Values of an answer that are looked at, empty lists and objects too: some 2 ms. One that holds more of them is no
answer to a create, start or delete. Real ones have some twenty."""

MOST_TEXT: Final = 8_000
"""Characters of its texts that are looked at, some 5 ms. Longer ones are no answer to these either."""

_TEXT_COST: Final = 16
"""Characters for which each text counts at least."""

_STATUS: Final = frozenset({
    "status", "state", "connection", "connectionstatus", "connectionstate", "sessionstatus", "sessionstate",
    "channelstatus", "channelstate", "instancestatus", "instancestate", "currentstatus", "currentstate",
    "situacao", "situação", "estado",
})  # fmt: skip
_STATUS_OR_NAME: Final = _STATUS | {"session"}
_INSIDE_STATUS: Final = frozenset({"value", "name", "current", "label"})
"""Members of an object under a name of `_STATUS` that hold its word."""
_TEXTS: Final = _STATUS | {
    "message", "msg", "detail", "details", "reason", "info", "result", "response", "description", "text", "title",
    "data", "code", "statusmessage", "warning", "warnings", "notice", "mensagem", "detalhe", "detalhes", "motivo",
    "descricao", "descrição", "aviso",
}  # fmt: skip
_ERRORS: Final = frozenset({
    "error", "errors", "err", "errormessage", "errorcode", "exception", "erro", "erros", "mensagemerro",
    "mensagemdeerro",
})  # fmt: skip
_NO_ERROR: Final = frozenset({"", "0", "false", "null", "none", "no", "undefined"})
_FAILED_FLAGS: Final = frozenset({"failed", "isfailed", "failure", "iserror", "haserror", "haserrors", "falhou"})
_SUCCESS: Final = frozenset({"success", "issuccess", "successful", "succeeded", "ok", "isok", "sucesso", "status"})
_SUCCESS_WORDS: Final = frozenset({"success", "ok", "sucesso"})
_DELETED: Final = frozenset({
    "deleted", "isdeleted", "removed", "deletedcount", "removedcount", "excluido", "excluído", "removido", "deletado",
})  # fmt: skip
_DONE_FLAGS: Final = _SUCCESS | _DELETED | {"created", "iscreated", "started", "isstarted", "criado", "criada"}
_SUBJECTS: Final = frozenset({"channel", "session", "instance", "canal", "sessao", "sessão", "instancia", "instância"})
_OUTCOMES: Final = frozenset({"results", "result", "resultados", "deleted", "removed"})
"""Lists of what was done, not of the sessions that are left."""
_CODES: Final = frozenset({"status", "statuscode", "code", "httpcode", "httpstatus"})
_CODE_TEXT: Final = re.compile(r"([45]\d\d)\b", re.ASCII)
_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "y", "on", "sim", "s"})
_FALSE: Final = frozenset({"false", "0", "0.0", "no", "n", "off", "não", "nao", "none"})
_CONNECTED_FLAGS: Final = frozenset({
    "connected", "isconnected", "loggedin", "isloggedin", "islogged", "online", "isonline", "authenticated",
    "isauthenticated", "isready", "conectado", "conectada", "jaconectado", "jaconectada", "alreadyconnected",
})  # fmt: skip
_DOUBTFUL_FLAGS: Final = _CONNECTED_FLAGS | {"ready", "active", "isactive"}
"""Beside a code the others may be said of the code."""
_SURELY_CONNECTED: Final = frozenset({
    "connected", "open", "online", "inchat", "islogged", "loggedin", "authenticated", "working", "conectado",
    "conectada",
})  # fmt: skip
_CONNECTED_STATES: Final = _SURELY_CONNECTED | {
    "ready", "active", "ativa", "ativo", "activa", "activo", "existente", "existing", "exists", "existe", "pronto",
    "pronta", "aberto", "aberta",
}  # fmt: skip

_LONGEST_CLAIM: Final = 6
"""Words of a text in which "open" or "ready" speaks of the session. In longer ones it is advice."""

_LONGEST_SENTENCE: Final = 500
"""Characters of a text beside a code that is read. A longer one is a code itself."""

_WORD: Final = re.compile(r"[^\W_]+")
_CLAUSE: Final = re.compile(r"[.,;:!?()\n]")
_NOT: Final = frozenset({"not", "no", "never", "isn", "without", "cannot", "não", "nao", "nunca", "sem"})
_CONNECTED: Final = re.compile(r"(?!dis|un|not|non|des|nao|não)\w*(?:connected|conectad[oa])$|^loggedin$|^logado$")
_ALREADY: Final = frozenset({"already", "já", "ja", "ya"})
_SCAN: Final = re.compile(r"qr|scan|escane")
_FAILED: Final = re.compile(
    r"(?:error|fail|erro|falh|invalid|inválid|unauthor|denied|deny|forbid|refus|reject|unable|couldn|timeout|timed|"
    r"abort|crash|conflict|exception|missing|unavailable|unsuccessful)"
)
_BEGUN: Final = frozenset({
    "started", "starting", "created", "creating", "iniciada", "iniciado", "iniciando", "criada", "criado", "criando",
})  # fmt: skip


class _Member(NamedTuple):
    """A scalar of the answer and where it stands."""

    name: str
    value: object
    listed: bool
    """Whether it belongs to an object in a list that is not of outcomes."""
    described: bool
    """Whether it belongs to an object that describes the session."""


def failed(document: object) -> bool:
    """Whether a member of the answer says outright that it failed: an error, `success: false`, a status of 400 on.

    Texts are not read. An answer too large to be looked at whole counts as failed.
    """
    members = _members(document)
    if members is None:
        return True
    succeeded = any(map(_is_success, members))
    return any(_is_failure(one.name, one.value, succeeded) for one in members)


def claims_connected(document: object, connected: Set[str]) -> bool:
    """Whether the answer says, beside a QR code, that the session is connected; `connected` as in `took_effect`.

    "Ready" and "open" in texts may be said of the code, and what speaks of scanning is advice: these are no claims. An
    answer too large to be looked at whole counts as one.
    """
    members = _members(document)
    if members is None:
        return True
    length = 0
    for name, value, *_ in members:
        if name in _CONNECTED_FLAGS and _is_true(value):
            return True
        if type(value) is str and name in _STATUS_OR_NAME and _is_state(value, connected, _SURELY_CONNECTED):
            return True
        if type(value) is str and name in _TEXTS and len(value) <= _LONGEST_SENTENCE:
            length += max(len(value), _TEXT_COST)
            if length > MOST_TEXT:
                return True
            words = _WORD.findall(value.casefold())
            if not any(map(_SCAN.match, words)) and any(_says_connected(words, at) for at in range(len(words))):
                return True
    return False


def took_effect(document: object, connected: Set[str], *, lists_others: bool = False) -> bool:
    """Whether nothing in the answer to a create, start or delete says that it failed or that it changed nothing.

    `connected` holds the gateway's words for a connected session, folded. An answer that claims it may do so for a
    session that is dead. `lists_others`: what stands in a list is about other sessions, as after a deletion, and what
    describes the session beside `deleted: true` is how it was. In doubt false.
    """
    members = _members(document)
    if members is None:
        return False
    succeeded = any(map(_is_success, members))
    deleted = lists_others and any(one.name in _DELETED and _is_true(one.value) for one in members)
    length = 0
    for name, value, listed, described in members:
        if _is_failure(name, value, succeeded):
            return False
        if lists_others and (listed or (deleted and described)):
            continue
        if name in _TEXTS and type(value) is str:
            length += max(len(value), _TEXT_COST)
            if length > MOST_TEXT or _text_doubts(value, succeeded and not lists_others):
                return False
        if _is_claim(name, value, connected):
            return False
    return True


def _is_true(value: object) -> bool:
    """Whether a flag is set in any spelling: any number but 0, `true`, "yes"."""
    if isinstance(value, int | float):
        return value != 0
    return type(value) is str and fold_word(value) in _TRUE


def _is_false(value: object) -> bool:
    """Whether a flag is unset in any spelling. `null` says nothing."""
    if isinstance(value, int | float):
        return value == 0
    return type(value) is str and fold_word(value) in _FALSE


def _is_success(member: _Member) -> bool:
    name, value = member.name, member.value
    if name not in _SUCCESS or member.listed:
        return False
    return value == 1 or (type(value) is str and fold_word(value) in _TRUE | _SUCCESS_WORDS)


def _is_failure(name: str, value: object, succeeded: bool) -> bool:
    """Whether a member says outright that the request failed. A code of 0 does not, if the answer `succeeded`."""
    if name in _ERRORS:
        return not (value is None or value == 0 or (type(value) is str and fold_word(value) in _NO_ERROR))
    if name in _FAILED_FLAGS:
        return not (value is None or value == "" or _is_false(value))
    if name in _DONE_FLAGS and (_is_false(value) or (type(value) is str and fold_word(value) == "failed")):
        return True
    if name == "result" and (value is False or (type(value) is str and fold_word(value) == "false")):
        return True
    if name not in _CODES:
        return False
    if type(value) is str:
        return _CODE_TEXT.match(value.strip()) is not None or (value.strip() == "0" and not succeeded)
    return isinstance(value, int | float) and not 0 < value < 400 and not (value == 0 and succeeded)


def _is_state(value: str, connected: Set[str], states: Set[str]) -> bool:
    word = fold_word(value)
    return word in connected or _bare(word) in states


def _is_claim(name: str, value: object, connected: Set[str]) -> bool:
    if (name in _DOUBTFUL_FLAGS or name.startswith("already")) and _is_true(value):
        return True
    return name in _STATUS_OR_NAME and type(value) is str and _is_state(value, connected, _CONNECTED_STATES)


def _text_doubts(value: str, succeeded: bool) -> bool:
    """Whether a text speaks of a failure, or of a session that is connected or was there already.

    If the answer `succeeded` and one clause says that the session was begun, words of failure in another clause are no
    doubt: they give the reason, or advice.
    """
    words = _WORD.findall(value.casefold())
    if not _ALREADY.isdisjoint(words) or any(_says_connected(words, at) for at in range(len(words))):
        return True
    if len(words) <= _LONGEST_CLAIM and _names_state(words):
        return True
    return _fails(words) and not (succeeded and any(map(_is_begun, _CLAUSE.split(value.casefold()))))


def _names_state(words: list[str]) -> bool:
    """Whether one of the words is a connected session's state ("Client is ready"), not denied, nor said of a code."""
    if _CONNECTED_STATES.isdisjoint(words) or not _NOT.isdisjoint(words):
        return False
    return not any(map(_SCAN.match, words))


def _is_begun(clause: str) -> bool:
    words = _WORD.findall(clause)
    return not _BEGUN.isdisjoint(words) and not _fails(words)


def _says_connected(words: list[str], at: int) -> bool:
    """Whether the word says that the session is connected, and none before it the opposite."""
    word = words[at]
    logged_in = word == "in" and words[max(0, at - 1) : at] == ["logged"]
    return (logged_in or _CONNECTED.match(word) is not None) and _NOT.isdisjoint(words[max(0, at - 3) : at])


def _fails(words: list[str]) -> bool:
    """Whether one of the words speaks of a failure, or denies something else than a connection."""
    return any(
        _FAILED.match(word)
        or (word in _NOT and not any(_CONNECTED.match(one) or one == "logged" for one in words[at + 1 : at + 4]))
        for at, word in enumerate(words)
    )


def _bare(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _members(document: object) -> list[_Member] | None:
    """Every scalar of the document; `None` where it holds too many values."""
    # A bare scalar is read like a message. Empty lists and objects say nothing, except for an error that has no members
    # of its own (JavaScript writes `Error` as `{}`) and a list of nothing that was deleted.
    members: list[_Member] = []
    waiting = [_Member("message" if type(document) is str else "success", document, False, False)]
    room = MOST_VALUES
    while waiting:
        name, value, listed, described = waiting.pop()
        if type(value) is dict:
            room -= len(value)
            if room < 0:
                return None
            if name in _ERRORS:
                members.append(_Member(name, True, listed, described))
            inside = described or name in _SUBJECTS
            for key, inner in value.items():
                bare = _bare(key)
                bare = name if name in _STATUS and bare in _INSIDE_STATUS else bare
                waiting.append(_Member(bare, inner, listed, inside))
        elif type(value) is list:
            room -= len(value)
            if room < 0:
                return None
            if not value and name in _DELETED:
                members.append(_Member(name, False, listed, described))
            others = name not in _OUTCOMES
            waiting.extend(_Member(name, one, listed or (others and type(one) is dict), described) for one in value)
        else:
            members.append(_Member(name, value, listed, described))
    return members
