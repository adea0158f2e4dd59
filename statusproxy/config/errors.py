"""The configuration's error: what was found, what is allowed, and the nearest known word."""

import json
import re
from collections.abc import Iterable

from statusproxy.config.path_tokens import mask_tokens

_SHOWN = 60  # characters of a value that an error repeats: enough to find it, short enough for one line


_MAY_HOLD_A_SECRET = re.compile(r"[@?#]")


class ConfigError(Exception):
    """One mistake in the configuration. `str()` is the whole message, ready for a person to read.

    Its shape is `file:line: key: what was found; what is allowed; did you mean …?`.
    """


def quote(text: str) -> str:
    """`text` in double quotes, control characters escaped, cut when long."""
    if len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return json.dumps(text, ensure_ascii=False).encode(errors="backslashreplace").decode()


def nearest(found: str, known: Iterable[str]) -> str | None:
    """The known word that `found` most likely stands for, or None when none is near."""
    import difflib  # here: only a mistake needs it

    folded = {word.casefold(): word for word in known}
    close = difflib.get_close_matches(found[:100].casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def suggest(meant: str | None) -> str:
    """`; did you mean "…"?` for a correction made from what was found: the tail of a message.

    Empty if there is no correction, or if it may contain a password or a token (a user before "@", a query, a
    fragment, a text beside `{session}`).
    """
    if not meant or _MAY_HOLD_A_SECRET.search(meant) or mask_tokens(meant, "") != meant:
        return ""
    return f"; did you mean {quote(meant)}?"


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """`; did you mean "…"?` when a known word is near, else nothing: the tail of a message."""
    word = nearest(found, known)
    return "" if word is None else f"; did you mean {quote(word)}?"
