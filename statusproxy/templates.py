"""Paths and route templates as the configuration writes them: `/api/channels/{session}`, `DELETE /api/…`.

Each function gives its text back, tidied, or raises ValueError with the end of a sentence that begins
`found "…"; `.
"""

import re
from urllib.parse import unquote

PATH_ALLOWED = "a path that begins with /"
TEMPLATE_ALLOWED = "a path such as /api/channels or /api/channels/{session}"
ROUTE_ALLOWED = "a method and a path, such as DELETE /api/channels/{session}"
HEADER_ALLOWED = "a header's name, such as X-Webhook-Secret"

SESSION = "{session}"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_UNFIT = re.compile(r"[\x00-\x20\x7f?#]")
_BRACES = re.compile(r"\{[^/]*\}|[{}]")


def check_path(text: str) -> str:
    """A path without placeholders."""
    _whole_path(text, PATH_ALLOWED)
    if _BRACES.search(text):
        raise ValueError("allowed: a path without placeholders")
    return text


def check_template(text: str, *, session_needed: bool = False) -> str:
    """A path in which one whole segment may (or, if `session_needed`, must) be `{session}`."""
    _whole_path(text, TEMPLATE_ALLOWED)
    for placeholder in _BRACES.findall(text):
        if placeholder != SESSION:
            raise ValueError(
                f'the only placeholder is {SESSION}; did you mean "{_BRACES.sub(SESSION, text, count=1)}"?'
            )
    segments = text.split("/")
    if any(SESSION in segment and segment != SESSION for segment in segments):
        raise ValueError(f"allowed: {SESSION} as a whole segment between two slashes")
    if segments.count(SESSION) > 1:
        raise ValueError(f"allowed: {SESSION} once")
    if session_needed and SESSION not in segments:
        raise ValueError(f"{SESSION} has to stand in the path, for nothing else says which session is meant")
    return text


def check_route(text: str, *, session_needed: bool = False) -> str:
    """`METHOD /path/template`, with one space between."""
    method, _, path = text.strip().partition(" ")
    path = path.strip()
    if not path.startswith("/") or not _TOKEN.fullmatch(method):
        raise ValueError(f"allowed: {ROUTE_ALLOWED}")
    if method != method.upper():
        raise ValueError(f'allowed: {ROUTE_ALLOWED}; did you mean "{method.upper()} {path}"?')
    return f"{method} {check_template(path, session_needed=session_needed)}"


def check_header_name(text: str) -> str:
    """The name of a header field."""
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"allowed: {HEADER_ALLOWED}")
    return text


def fold_path(path: str) -> str:
    """What two paths have in common that a gateway cannot tell apart: Express ignores case and a last slash."""
    return unquote(path).casefold().rstrip("/") or "/"


def _whole_path(text: str, allowed: str) -> None:
    if text.startswith(("http://", "https://")):
        path = "/" + text.split("://", 1)[1].partition("/")[2]
        raise ValueError(f'allowed: {allowed}; did you mean "{path}"?')
    if "?" in text:
        raise ValueError(f'allowed: {allowed}, without a query; did you mean "{text.partition("?")[0]}"?')
    if not text.startswith("/") or text.startswith("//") or _UNFIT.search(text):
        bare = re.match(r"[\w.{}-][^\x00-\x20\x7f?#]*\Z", text)
        raise ValueError(f"allowed: {allowed}" + (f'; did you mean "/{text}"?' if bare else ""))
