"""Entity tags (RFC 9110 §8.8.3) and gzip forms of whole answers, computed without holding the event loop.

Both are remembered for the last few bodies, by the body object itself. A list that is corrected once and sent a
thousand times is hashed and compressed once, also where a thousand clients ask at the same time. An object that no one
else holds any more cannot be asked for again, and is forgotten: where every answer differs, that is each but the last.
"""

import asyncio
import sys
from hashlib import blake2b
from typing import Final

from statusproxy.proxy.codings import encoding_gzip
from statusproxy.proxy.steps import StepRunner, Steps

#: Bodies that are remembered: the lists that hubs ask for, and some channels asked for one by one.
_REMEMBERED: Final = 8

#: Bytes that the remembered bodies have together, except for the latest: two lists of 10 000 channels.
_TOGETHER: Final = 4 * 1024 * 1024

#: Bytes that are hashed in one step: 1 ms.
_STEP: Final = 1024 * 1024


#: Bytes of a digest: so many that no two bodies have the same.
_DIGEST: Final = 12

#: Bytes of a body that is hashed at once, without a lock: 0.1 ms.
_AT_ONCE: Final = 64 * 1024

#: References to an object that is held by one attribute alone, as `sys.getrefcount` counts them: its own is one of two.
_HELD_BY_ONE: Final = 2


class _Rendition:
    __slots__ = ("_lock", "body", "gzip", "tag")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tag: bytes | None = None
        self.gzip: bytes | None = None
        self._lock: asyncio.Lock | None = None

    @property
    def lock(self) -> asyncio.Lock:
        """What who computes a form of this body holds; made when someone does."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock


class Renditions:
    """Entity tags and gzip forms of answers; large ones are computed without holding the event loop."""

    __slots__ = ("_recent", "_runner", "_size")

    def __init__(self, runner: StepRunner) -> None:
        self._runner = runner
        self._recent: dict[int, _Rendition] = {}  # by the identity of its body; the latest last
        self._size = 0  # of the bodies remembered

    async def tag(self, body: bytes) -> bytes:
        """The weak tag of `body`: equal for equal bodies, across restarts too."""
        rendition = self._of(body)
        if rendition.tag is None and len(body) <= _AT_ONCE:
            rendition.tag = _tag(blake2b(body, digest_size=_DIGEST))
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
        known = recent.get(id(body))
        if known is not None:
            return known
        for gone in [one for one in recent.values() if sys.getrefcount(one.body) <= _HELD_BY_ONE]:
            self._drop(gone)
        recent[id(body)] = rendition = _Rendition(body)
        self._size += len(body)
        while len(recent) > _REMEMBERED or (self._size > _TOGETHER and len(recent) > 1):
            self._drop(next(iter(recent.values())))
        return rendition

    def _drop(self, rendition: _Rendition) -> None:
        self._size -= len(rendition.body)
        del self._recent[id(rendition.body)]


def _tag(digest: blake2b) -> bytes:
    return b'W/"sp-%b"' % digest.hexdigest().encode()


def _tagging(body: bytes) -> Steps[bytes]:
    digest = blake2b(digest_size=_DIGEST)
    view = memoryview(body)
    for at in range(0, len(view), _STEP):
        if at:
            yield
        digest.update(view[at : at + _STEP])
    return _tag(digest)
