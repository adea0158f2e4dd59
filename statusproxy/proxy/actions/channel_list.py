"""The action of corrected routes: the gateway's channel list, answered with corrections."""

from functools import lru_cache
from typing import Final

from statusproxy.proxy.actions import answers
from statusproxy.proxy.actions.observe import failed, observe
from statusproxy.proxy.coalescing import Result
from statusproxy.proxy.common_answer import CommonAnswer
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.problems import PROBLEMS
from statusproxy.proxy.request_head import PreparedHead
from statusproxy.proxy.response_head import response_fields
from statusproxy.proxy.site import ChannelsEntry
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.status.channels import Correction

#: Bytes of a list, some hundred channels, from which on it is corrected step by step.
_LONG_LIST: Final = 16 * 1024

#: Stands for the query of a request that has a body instead: no query has a line end.
_BODY: Final = "\n"


async def serve(exchange: Exchange) -> None:
    """Ask for the list, alone or together with others that ask the same, and answer it corrected."""
    entry, response, registry = exchange.match.entry, exchange.response, exchange.registry
    assert isinstance(entry, ChannelsEntry)
    # HEAD must agree with GET, whose body decides: so the gateway is asked for that.
    asked = exchange.prepare(exchange.site.pool, method="GET", listing=True)
    shared = entry.share and not exchange.request.has_body
    result, followed = await _share(exchange, asked) if shared else (await _ask(exchange, asked), False)
    head, body = result.head, result.body
    if body is None:
        assert exchange.call.body is not None
        await response.stream(head, exchange.call.body)
        return
    request_id = exchange.request_id.encode()
    common = result.common if followed else None
    if common is None:
        fields, said = response_fields(head, request_id, replace_id=followed)
        text, failure = await answers.decode(exchange, head.status, said, body, exchange.site.limits.corrected)
        common = CommonAnswer(head, fields, said, request_id, text, failure)
        if followed:
            result.common = common
    text = common.text
    if text is None:
        if common.failure is not None:
            registry.unreadable("channels", common.failure)
        await response.answer(head.status, head.reason, common.fields(request_id), body)
        return
    session = exchange.match.session
    query = _query(exchange.target) or (_BODY if exchange.request.has_body else "")
    try:
        if len(text) > _LONG_LIST:
            correction, durable = await registry.correct_in_steps(text, entry.rule, exchange.asked_at, session, query)
        else:
            correction, durable = registry.correct(text, entry.rule, exchange.asked_at, session, query)
    except Exception as error:  # noqa: BLE001 - the answer passes as it came after any error
        failed(exchange, "channels", error)
        correction, durable = Correction(text), None
    if registry.learning.on:
        await observe(exchange, "learning", lambda: registry.learning.answer(text, entry.rule.source, configured=True))
    if durable is not None:
        await exchange.settle(durable)
    if correction.failure is not None:
        registry.unreadable("channels", correction.failure)
    exchange.corrected = len(correction.corrected)
    renditions = exchange.shared.renditions
    changed = correction.body is not text
    shown = correction.body if changed else body
    answer = common.known(exchange.well_known, shown, request_id)
    if answer is None:
        tag = await renditions.tag(shown) if changed else None
        answer = common.represent(exchange.well_known, shown, tag, request_id)
    wire = b"" if answer.bodiless else await renditions.gzip(shown) if answer.gzip else shown
    await response.answer(answer.status, answer.reason, answer.headers, wire)


@lru_cache(maxsize=64)
def _query(target: bytes) -> str:
    """What may make the gateway leave channels out of its list. Remembered, as polls ask for the same."""
    return target.partition(b"?")[2].decode("latin-1")


async def _ask(exchange: Exchange, asked: PreparedHead) -> Result:
    """Ask the gateway for the list; a body too large to be held is still to be streamed when this returns."""
    head = await exchange.send(exchange.site.pool, asked, method="GET", pass_interim=False)
    return Result(head, await answers.collect(exchange, exchange.site.limits.corrected))


async def _share(exchange: Exchange, asked: PreparedHead) -> tuple[Result, bool]:
    """Follow the call that asks the gateway the same already, or lead one; whether another exchange led it."""
    calls, key = exchange.shared.shared_calls, asked.without_id
    call = calls.find(key, exchange.registry.version)
    if call is None:
        return await _lead(exchange, asked), False
    # The gateway was asked then, not now: that decides whether what its answer says is fresh.
    asked_at = call.asked_at
    try:
        result = await call.follow()
    except UpstreamError as error:
        if PROBLEMS[error.code].hop == "gateway":
            raise
        # The failure concerns the leader alone: its client left, or its share of the places was used up.
        if error.code == "client_gone":
            return await _share(exchange, asked)
        return await _ask(exchange, asked), False
    if result.body is None:
        return await _ask(exchange, asked), False
    exchange.asked_at = asked_at
    return result, True


async def _lead(exchange: Exchange, asked: PreparedHead) -> Result:
    """Make the call that others may follow."""
    calls, key = exchange.shared.shared_calls, asked.without_id
    exchange.call.shared = call = calls.start(key, exchange.asked_at, exchange.registry.version)
    try:
        result = await _ask(exchange, asked)
    except BaseException as error:
        failed = isinstance(error, UpstreamError)
        calls.end(key, call, error if failed else UpstreamError("client_gone", "the call was given up"))
        raise
    finally:
        exchange.call.shared = None
    calls.end(key, call, result)
    return result
