"""Keeps a stage up for someone with curl, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, TypeVar

from statusproxy.demo.proxy import Proxy, ProxyFailedError, free_ports
from statusproxy.demo.stage import Say
from statusproxy.demo.telling import Ports

_PORTS: Final[Ports] = (3000, 8090, 8091)

G = TypeVar("G")


def usual_ports() -> Ports:
    """Where a stage that is kept up listens: the program's own ports and its gateway's, where these are free."""
    gateway, proxy, admin = free_ports(*_PORTS)
    return gateway, proxy, admin


async def keep_up(
    stage: AbstractAsyncContextManager[tuple[G, Proxy]], invitation: Callable[[G, Proxy], str], say: Say
) -> bool:
    """Keep gateway and proxy up and `say` what to try, until Ctrl-C or SIGTERM.

    False if that ended in another way: the proxy did not start, or did not stay.
    """
    with signalled() as end:
        try:
            async with stage as (gateway, proxy):
                say(invitation(gateway, proxy))
                asked = asyncio.create_task(end.wait())
                died = asyncio.create_task(proxy.ended())
                await asyncio.wait((asked, died), return_when=asyncio.FIRST_COMPLETED)
                ended_by_itself = died.done() and not asked.done()
                for task in (asked, died):
                    task.cancel()
                if ended_by_itself:
                    say("the proxy ended by itself: see its last lines above")
                return not ended_by_itself
        except ProxyFailedError as error:
            say(str(error))
            return False


@contextmanager
def signalled() -> Iterator[asyncio.Event]:
    """An event that is set by Ctrl-C or SIGTERM, which end nothing else meanwhile."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    try:
        yield end
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def invited(*lines: tuple[str, str]) -> str:
    """The lines to copy: what each does, and the command; a command without a heading is printed as it is."""
    return "\n".join(f"# {what}\n  {command}" if what else f"{command}\n" for what, command in lines) + "\n"
