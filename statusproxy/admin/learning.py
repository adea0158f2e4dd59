"""What the admin listener answers on `/learn`: learning from the traffic is begun, looked at and ended."""

from typing import Final

import msgspec
from aiohttp import web

from statusproxy.admin.json_answers import answer, refuse
from statusproxy.admin.messages import Learned
from statusproxy.admin.report import moment
from statusproxy.config.every_gateway import every_gateway
from statusproxy.learning.watch import Watch
from statusproxy.pacing import Pacer

LONGEST: Final = 24 * 60
"""Minutes that it may last at most."""

_MINUTES: Final = 60


class LearningAnswers:
    """The handlers of one `Watch`."""

    def __init__(self, watch: Watch, pacer: Pacer) -> None:
        self._watch = watch
        self._pacer = pacer

    def routes(self) -> list[web.AbstractRouteDef]:
        """The path with its handlers."""
        return [
            web.get("/learn", self.show, allow_head=False),
            web.post("/learn", self.start),
            web.delete("/learn", self.stop),
        ]

    async def start(self, request: web.Request) -> web.Response:
        """Begin to learn, for as many `minutes` as the query says; what was learned before is forgotten."""
        said = request.query.get("minutes", str(_MINUTES))
        if not (said.isascii() and said.isdigit() and len(said) < 6 and 1 <= int(said) <= LONGEST):
            return refuse(400, f"minutes is a whole number from 1 to {LONGEST}")
        self._watch.start(int(said) * 60.0)
        return answer(self._report())

    async def show(self, request: web.Request) -> web.Response:
        """What was learned so far, as a draft preset."""
        pieces = self._watch.draft(every_gateway().own.paths)
        if pieces is None:
            return refuse(404, "nothing was learned: learning was not started, or it was stopped")
        draft: list[str] = []
        for piece in pieces:
            draft.append(piece)
            await self._pacer.step()  # the traffic goes on meanwhile
        return answer(self._report("".join(draft)))

    async def stop(self, request: web.Request) -> web.Response:
        """End it, and forget what was learned."""
        report = self._report()
        self._watch.stop()
        return answer(msgspec.structs.replace(report, learning=False))

    def _report(self, draft: str | None = None) -> Learned:
        watch = self._watch
        learning = watch.running
        events, answers = watch.counts
        return Learned(
            learning=learning,
            started=moment(watch.started),
            until=None if watch.started is None else moment(watch.until),
            events=events,
            answers=answers,
            skipped=watch.skipped,
            failure=watch.failure,
            draft=draft,
        )
