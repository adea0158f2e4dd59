"""Where the gateway, or a hub, is: its address, its TLS, and how a connection to it is opened."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from aiohappyeyeballs import AddrInfoType, start_connection

from statusproxy.observe.network_errors import in_words
from statusproxy.proxy.upstream.errors import UpstreamError

#: Seconds without an answer after which the next address is tried as well (RFC 8305 §5).
_NEXT_ADDRESS: Final = 0.25

_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)


class Origin(msgspec.Struct, frozen=True):
    """Where a pool connects to: host and port, or a Unix socket; the rest says how requests are addressed."""

    host: str = ""
    port: int = 0
    unix: str | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    base_path: bytes = b""
    """Put before every target, without a slash at its end."""

    @property
    def authority(self) -> bytes:
        """The `Host` field's value for this origin (RFC 9110 §7.2): the port only where it is not the default."""
        if self.unix is not None:
            return b"localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.tls else 80
        return host.encode("idna" if not host.isascii() else "ascii") + (
            b"" if self.port == default else b":%d" % self.port
        )

    async def connect(self, make: Callable[[], _Protocol], limit: float | None) -> _Protocol:
        """Open a connection with the protocol that `make` gives, within `limit` seconds (None: no limit).

        A name is looked up each time. Of several addresses, the next one is tried as soon as one fails, and beside it
        if it gives no answer (RFC 8305). Raises `UpstreamError`.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                if self.unix is not None:
                    _, protocol = await loop.create_unix_connection(make, self.unix)
                else:
                    where = await _where(self.host, self.port)
                    _, protocol = await loop.create_connection(
                        make,
                        **where,
                        ssl=self.tls,
                        server_hostname=(self.server_name or self.host) if self.tls else None,
                    )
        except TimeoutError:
            raise UpstreamError("gateway_connect_slow") from None
        except ssl.SSLError as error:
            raise UpstreamError("gateway_tls_failed", in_words(error)) from None
        except socket.gaierror as error:
            raise UpstreamError("gateway_name_unknown", in_words(error)) from None
        except OSError as error:
            raise UpstreamError("gateway_unreachable", in_words(error)) from None
        return protocol


async def _where(host: str, port: int) -> dict[str, Any]:
    """What `create_connection` is told: one address, or a socket that is connected to the first of several to answer.

    Raises `OSError`.
    """
    if not _is_address(host):
        found = await addresses(host, port)
        if len(found) > 1:
            return {"sock": await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS)}
        host = found[0][4][0]
    return {"host": host, "port": port}


async def addresses(host: str, port: int) -> Sequence[AddrInfoType]:
    """The addresses of a name, in the order in which they should be tried (RFC 6724). Raises `socket.gaierror`."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
