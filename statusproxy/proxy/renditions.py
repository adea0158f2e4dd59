"""Entity tags (RFC 9110 §8.8.3) and gzip forms of whole answers, computed without holding the event loop.

Both are remembered for the last few bodies, by the body object itself. A list that is corrected once and sent a
thousand times is hashed and compressed once, also where a thousand clients ask at the same time.
"""

import asyncio
from collections import deque
from hashlib import blake2b
from typing import Final

import msgspec

from statusproxy.proxy.codings import encoding_gzip
from statusproxy.proxy.steps import StepRunner, Steps

#: Bodies that are remembered: the lists that hubs ask for, and some channels asked for one by one.
_REMEMBERED: Final = 8

#: Bytes that the remembered bodies have together, except for the latest: two lists of 10 000 channels.
_TOGETHER: Final = 4 * 1024 * 1024

#: Bytes that are hashed in one step: 1 ms.
_STEP: Final = 1024 * 1024


class _Rendition(msgspec.Struct, eq=False):
    body: bytes
    tag: bytes | None = None
    gzip: bytes | None = None
    lock: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


class Renditions:
    """Entity tags and gzip forms of answers; large ones are computed without holding the event loop."""

    __slots__ = ("_recent", "_runner")

    def __init__(self, runner: StepRunner) -> None:
        self._runner = runner
        self._recent: deque[_Rendition] = deque(maxlen=_REMEMBERED)

    async def tag(self, body: bytes) -> bytes:
        """The weak tag of `body`: equal for equal bodies, across restarts too."""
        rendition = self._of(body)
        if rendition.tag is None:
            async with rendition.lock:
                if rendition.tag is None:
                    rendition.tag = await self._runner.run(_tagging(body))
        return rendition.tag

    async def gzip(self, body: bytes) -> bytes:
        """`body` as gzip: the same bytes for the same body."""
        rendition = self._of(body)
        if rendition.gzip is None:
            async with rendition.lock:
                if rendition.gzip is None:
                    rendition.gzip = await self._runner.run(encoding_gzip(body))
        return rendition.gzip

    def _of(self, body: bytes) -> _Rendition:
        recent = self._recent
        for known in recent:
            if known.body is body:
                return known
        recent.appendleft(rendition := _Rendition(body))
        while len(recent) > 1 and sum(len(known.body) for known in recent) > _TOGETHER:
            recent.pop()
        return rendition


def _tagging(body: bytes) -> Steps[bytes]:
    digest = blake2b(digest_size=12)
    view = memoryview(body)
    for at in range(0, len(view), _STEP):
        if at:
            yield
        digest.update(view[at : at + _STEP])
    return b'W/"sp-%b"' % digest.hexdigest().encode()
