"""The stand-in gateway as a service of its own, without a proxy: what `compose.yaml` runs in the gateway's place."""

from __future__ import annotations

from statusproxy.demo import dialect_story, story
from statusproxy.demo.dialect import Dialect
from statusproxy.demo.keeping import signalled
from statusproxy.demo.loopback import LoopbackServer
from statusproxy.demo.stage import Say, speak


def gateway(dialect: Dialect | None, proxy: str | None) -> LoopbackServer:
    """The stand-in of a dialect; None is the first gateway. Its events go to the proxy at that base URL.

    Without a proxy, the engine posts to the gateway itself, and a dialect's gateway posts nothing.
    """
    if dialect is not None:
        speaking = dialect_story.stand_in(dialect)
        speaking.proxy_url = proxy
        return speaking
    first = story.stand_in()
    if proxy is not None:
        first.engine_webhook = f"{proxy}/v1/webhooks/receive"
    return first


async def serve(stand_in: LoopbackServer, host: str, port: int, *, say: Say = speak) -> None:
    """Listen there until Ctrl-C or SIGTERM, and `say` so. `OSError` where it cannot."""
    with signalled() as end:
        try:
            await stand_in.start(host, port)
            say(f"the stand-in gateway listens on {stand_in.base_url}")
            await end.wait()
        finally:
            await stand_in.stop()
