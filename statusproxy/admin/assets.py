"""The status page's files, served from the package, and the security headers that browsers enforce on them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

#: Nothing but the page's own files, nothing in line, nowhere to send to but here, and never inside another page:
#: a session's id may hold anything, and the page has a button that matters.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

HEADERS: Final = CIMultiDictProxy(
    CIMultiDict(
        {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            # Asked for again each time: small, from this host, and never older than the proxy that serves it.
            "Cache-Control": "no-cache",
        }
    )
)
"""The fields of every file's answer; all share this one collection, which cannot be changed."""

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

_PAGE: Final = Path(__file__).parent / "page"

#: Path -> file in `page/`.
FILES: Final = {
    "/": "page.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
    "/details.js": "details.js",
    "/doctor.js": "doctor.js",
    "/elements.js": "elements.js",
    "/english.js": "english.js",
    "/feed.js": "feed.js",
    "/gateway.js": "gateway.js",
    "/groups.js": "groups.js",
    "/moments.js": "moments.js",
    "/notices.js": "notices.js",
    "/portuguese.js": "portuguese.js",
    "/questions.js": "questions.js",
    "/reasons.js": "reasons.js",
    "/rows.js": "rows.js",
    "/sorting.js": "sorting.js",
    "/states.js": "states.js",
    "/timeline.js": "timeline.js",
    "/uptime.js": "uptime.js",
    "/visible.js": "visible.js",
    "/words.js": "words.js",
    "/icon.svg": "icon.svg",
    "/icon-down.svg": "icon-down.svg",
}


def routes() -> list[web.RouteDef]:
    """A route for each file, read once: now."""
    return [web.get(path, _server(name)) for path, name in FILES.items()]


def _server(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    body = (_PAGE / name).read_bytes()
    content_type = _TYPES[name.rpartition(".")[2]]

    async def serve(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=HEADERS)

    return serve
