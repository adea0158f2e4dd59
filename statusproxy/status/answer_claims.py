"""What an answer says of itself: that the request failed, or that the session is connected already.

Gateways answer 200 to requests that they refused, and to starts that did nothing. Their words differ, so both questions
are answered on the cautious side: what reads like a failure or a claim is taken for one. Members are compared without
case, `_` and `-`, at any depth and in lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from itertools import islice
from typing import Final

from statusproxy.status.fields import fold_word

MOST_MEMBERS: Final = 2_000
"""Scalars looked at in one answer. One with more of them is no answer to a create, start or delete."""

MOST_TEXT: Final = 8_000
"""Characters of its texts that are looked at, some 5 ms. Longer ones are no answer to these either."""

_STATUS: Final = frozenset({
    "status", "state", "connection", "connectionstatus", "connectionstate", "sessionstatus", "sessionstate",
})  # fmt: skip
_TEXTS: Final = _STATUS | {
    "message", "msg", "detail", "details", "reason", "info", "result", "response", "description", "text", "title",
    "data", "code", "statusmessage",
}  # fmt: skip
_ERRORS: Final = frozenset({"error", "errors", "err", "errormessage", "errorcode", "exception"})
_NO_ERROR: Final = frozenset({"", "0", "false", "null", "none", "no", "undefined"})
_DONE_FLAGS: Final = frozenset({
    "success", "succeeded", "ok", "status", "result", "created", "started", "deleted", "removed",
})  # fmt: skip
_CODES: Final = frozenset({"status", "statuscode", "code", "httpcode", "httpstatus"})
_CONNECTED_FLAGS: Final = frozenset({
    "connected", "isconnected", "loggedin", "isloggedin", "islogged", "online", "isonline", "authenticated",
    "isauthenticated",
})  # fmt: skip
_CONNECTED_STATES: Final = frozenset({
    "connected", "open", "online", "inchat", "islogged", "loggedin", "authenticated", "ready", "working",
})  # fmt: skip

_WORD: Final = re.compile(r"[^\W_]+")
_NOT: Final = frozenset({"not", "no", "never", "isn", "without", "cannot", "não", "nao", "nunca", "sem"})
_CONNECTED: Final = re.compile(r"(?!dis|un|not|non|des|nao|não)\w*(?:connected|conectad[oa])$|^loggedin$|^logado$")
_ALREADY: Final = frozenset({"already", "já", "ja", "ya"})
_FAILED: Final = re.compile(
    r"(?:error|fail|erro|falh|invalid|inválid|unauthor|denied|deny|forbid|refus|reject|unable|couldn|timeout|timed|"
    r"abort|crash|conflict|exception|missing|unavailable|unsuccessful)"
)

_Member = tuple[str, object, bool]
"""A member's name and scalar value, and whether it belongs to an object in a list."""


def failed(document: object) -> bool:
    """Whether a member of the answer says outright that it failed: an error, `success: false`, a status of 400 on.

    Texts are not read. An answer too large to be looked at whole counts as failed.
    """
    members = _members(document)
    return members is None or any(_is_failure(name, value) for name, value, _ in members)


def took_effect(document: object, connected: Set[str], *, lists_others: bool = False) -> bool:
    """Whether nothing in the answer to a create, start or delete says that it failed or that it changed nothing.

    `connected` holds the gateway's words for a connected session, folded. An answer that claims it may do so for a
    session that is dead. `lists_others`: what stands in a list is about other sessions, as after a deletion. In doubt
    false.
    """
    members = _members(document)
    if members is None:
        return False
    length = 0
    for name, value, listed in members:
        if _is_failure(name, value):
            return False
        if lists_others and listed:
            continue
        if name in _TEXTS and type(value) is str:
            length += len(value)
            if length > MOST_TEXT or _text_doubts(value):
                return False
        if _is_claim(name, value, connected):
            return False
    return True


def _is_failure(name: str, value: object) -> bool:
    if name in _ERRORS:
        return not (
            value is None or value is False or value == 0 or (type(value) is str and fold_word(value) in _NO_ERROR)
        )
    if name in _DONE_FLAGS and (value is False or (type(value) is str and fold_word(value) == "false")):
        return True
    return name in _CODES and isinstance(value, int | float) and value is not True and not 0 < value < 400


def _is_claim(name: str, value: object, connected: Set[str]) -> bool:
    if value is True or (type(value) is int and value == 1) or (type(value) is str and fold_word(value) == "true"):
        return name in _CONNECTED_FLAGS or name.startswith("already")
    if name not in _STATUS or type(value) is not str:
        return False
    word = fold_word(value)
    return word in connected or _bare(word) in _CONNECTED_STATES


def _text_doubts(value: str) -> bool:
    """Whether a text speaks of a failure, or of a session that is connected or was there already."""
    words = _WORD.findall(value.casefold())
    for index, word in enumerate(words):
        if word in _ALREADY or _FAILED.match(word):
            return True
        before = words[max(0, index - 2) : index]
        logged_in = word == "in" and before[-1:] == ["logged"]
        if (logged_in or _CONNECTED.match(word)) and _NOT.isdisjoint(words[max(0, index - 3) : index]):
            return True
        if word in _NOT and not any(_CONNECTED.match(one) or one == "logged" for one in words[index + 1 : index + 4]):
            return True
    return False


def _bare(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _members(document: object) -> list[_Member] | None:
    """Every scalar of the document; `None` where there are too many."""
    members = list(islice(_walk(document), MOST_MEMBERS + 1))
    return members if len(members) <= MOST_MEMBERS else None


def _walk(document: object) -> Iterator[_Member]:
    # A bare scalar is read like a message. Empty lists and objects say nothing.
    waiting: list[_Member] = [("message" if type(document) is str else "success", document, False)]
    while waiting:
        name, value, listed = waiting.pop()
        if type(value) is dict:
            if value and name in _ERRORS:
                yield name, True, listed
            waiting.extend((_bare(key), inner, listed) for key, inner in value.items())
        elif type(value) is list:
            waiting.extend((name, inner, listed or type(inner) is dict) for inner in value)
        else:
            yield name, value, listed
