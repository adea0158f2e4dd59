"""Paths and route templates as the configuration writes them: `/api/channels/{session}`, `DELETE /api/…`.

Each function gives its text back, tidied, or raises ValueError with the end of a sentence that begins
`found "…"; `.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from statusproxy.config.errors import suggest
from statusproxy.config.path_tokens import is_plain
from statusproxy.config.templates import BELOW, SECRET, SESSION, cut_of, parse_template

TEMPLATE_ALLOWED = "a path such as /api/channels or /api/channels/{session}"
ROUTE_ALLOWED = "a method and a path, such as DELETE /api/channels/{session}"
HEADER_ALLOWED = "a header's name, such as X-Webhook-Secret"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_UNFIT = re.compile(r"[\x00-\x20\x7f?#]")
_EXPRESS = re.compile(r"/:[A-Za-z_]\w*(?=/|$)")  # `/:session`, as Express writes a placeholder
_URL = re.compile(r"https?:/+[^/]*(?:/|$)")  # up to its path; a slash too few or too many makes no difference
_BRACES = re.compile(r"\{[^/{}]*\}|[{}]")
_END = f"/{BELOW}"


def check_template(text: str) -> str:
    """A path in which segments may be `{session}`, `{_}`, or both cut at a separator (`templates`)."""
    _check_whole(text, TEMPLATE_ALLOWED)
    _check_placeholders(text)
    return text


def check_webhook_path(text: str) -> str:
    """The same; `/**` at its end stands for that path and everything below."""
    if text.endswith("/*"):
        raise ValueError(f"allowed: {TEMPLATE_ALLOWED}, with {_END} for it and everything below" + suggest(f"{text}*"))
    check_template(text.removesuffix(_END) or "/")
    return text


def check_route(text: str) -> str:
    """`METHOD /path/template`, with one space between."""
    method, _, path = text.strip().partition(" ")
    path = path.strip()
    if not path.startswith("/") or not _TOKEN.fullmatch(method):
        raise ValueError(f"allowed: {ROUTE_ALLOWED}")
    if method != method.upper():
        raise ValueError(f"allowed: {ROUTE_ALLOWED}" + suggest(f"{method.upper()} {path}"))
    _check_whole(path, ROUTE_ALLOWED, before=f"{method} ")
    _check_placeholders(path)
    return f"{method} {path}"


def check_session_route(text: str) -> str:
    """`METHOD /path/template` in which `{session}` has to stand."""
    route = check_route(text)
    if SESSION not in route:
        raise ValueError(f"{SESSION} must be in the path: nothing else says which session is meant")
    return route


def check_header_name(text: str) -> str:
    """The name of a header field."""
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"allowed: {HEADER_ALLOWED}")
    return text


@lru_cache(maxsize=256)
def fold_path(path: str) -> str:
    """The same text for paths that a gateway does not distinguish: Express ignores case and a last slash."""
    return unquote(path).casefold().rstrip("/") or "/"


def covers(template: str, path: str) -> bool:
    """Whether every request that `path` takes, `template` takes too; both may hold placeholders."""
    return parse_template(template).covers(parse_template(path))


def _check_whole(text: str, allowed: str, *, before: str = "") -> None:
    """Refuse what is not a path; `before` is what stands before it in the file, for the fix to repeat."""
    meant = None
    url = _URL.match(text)
    if url:
        # With a "@" there may be a password, and no one can tell where it ends. A URL's path may hold a token.
        path = text[url.end() :]
        meant = f"/{path}" if "@" not in text and all(not each or is_plain(each) for each in path.split("/")) else None
    elif "?" in text or "#" in text:
        meant = re.split(r"[?#]", text)[0]
        allowed += ", without a query"
    elif re.match(r"[\w.{}-]", text):
        meant = f"/{text}"
    elif text.startswith("//"):
        meant = "/" + text.lstrip("/")
    if meant is not None or not text.startswith("/") or _UNFIT.search(text):
        fits = meant is not None and meant.startswith("/") and not _UNFIT.search(meant)
        raise ValueError(f"allowed: {allowed}" + (suggest(f"{before}{meant}") if fits else ""))
    if "*" in text:
        raise ValueError(
            f"allowed: {allowed}; a * has no special meaning here, so write the whole path "
            "(a * in the path itself: %2A)"
        )
    if _EXPRESS.search(text):
        raise ValueError(f"allowed: {allowed}; a placeholder is written {SESSION}")


def _check_placeholders(path: str) -> None:
    sessions = 0
    for segment in path.split("/"):
        placeholders = _BRACES.findall(segment)
        for placeholder in placeholders:
            if placeholder not in (SESSION, SECRET):
                raise ValueError(f"allowed: {SESSION}, and {SECRET} for a secret, as the only placeholders")
        if placeholders and segment not in (SESSION, SECRET) and cut_of(segment) is None:
            raise ValueError(
                f"allowed: {SESSION} as a whole segment between two slashes; or cut from a secret, as in "
                f"{SESSION}:{SECRET}"
            )
        sessions += placeholders.count(SESSION)
    if sessions > 1:
        raise ValueError(f"allowed: {SESSION} once")
