"""Asking the gateway as the proxy itself would: through its own pool, TLS settings and limits."""

import time
from collections.abc import Iterable

import msgspec

from statusproxy.assembly import build_site
from statusproxy.config.addresses import Address
from statusproxy.config.settings import Settings
from statusproxy.proxy.codings import decode
from statusproxy.proxy.decoders import CodingError
from statusproxy.proxy.http1.head import Header, first, own_hops, values, write_head
from statusproxy.proxy.upstream.pool import Pool


class Credentials(msgspec.Struct, frozen=True):
    """The header that the gateway wants, and its value; it is sent to the gateway and nowhere else."""

    header: str = "X-Gateway-Secret"
    secret: str | None = None
    scheme: str = ""
    """Stands before the secret, as `Bearer` does, unless the secret was given with it."""

    @property
    def fields(self) -> list[Header]:
        """The header fields to be sent; none without a secret."""
        if self.secret is None:
            return []
        before = f"{self.scheme} " if self.scheme else ""
        said = self.secret if self.secret.casefold().startswith(before.casefold()) else f"{before}{self.secret}"
        return [(self.header.encode(), said.encode())]

    def __repr__(self) -> str:
        return f"Credentials({self.header!r}, {'***' if self.secret else None})"


class Answer(msgspec.Struct, frozen=True):
    """What the gateway answered, how long that took (seconds), and when it came (epoch seconds)."""

    status: int
    headers: list[Header]
    body: bytes
    seconds: float
    at: float
    error: str | None = None
    """Why the body could not be decoded, or was not read (`too-large`)."""

    def header(self, name: bytes) -> str | None:
        """A header's first value, as text."""
        value = first(self.headers, name)
        return None if value is None else value.decode("latin-1")

    @property
    def came_through_us(self) -> bool:
        """Whether a statusproxy stood on the way."""
        return own_hops(values(self.headers, b"via")) > 0


class Asker:
    """Asks one origin."""

    def __init__(self, pool: Pool, limit: int) -> None:
        """`limit` bounds an answer's body, in bytes."""
        self._pool = pool
        self._limit = limit

    @property
    def is_local(self) -> bool:
        """Whether the origin is a program on this host."""
        origin = self._pool.origin
        return origin.unix is not None or Address(origin.host).is_private

    async def connect(self) -> float:
        """Open a connection; give the seconds it took. Raises `UpstreamError`."""
        started = time.perf_counter()
        connection = await self._pool.acquire(fresh=True)
        seconds = time.perf_counter() - started
        connection.abort()
        return seconds

    async def get(self, path: str, fields: Iterable[Header] = ()) -> Answer:
        """GET `path` below the gateway's base path. Raises `UpstreamError`."""
        origin = self._pool.origin
        head = write_head(
            b"GET %b%b HTTP/1.1" % (origin.base_path, path.encode("ascii", "replace")),
            [(b"Host", origin.authority), (b"Accept", b"application/json"), (b"Connection", b"close"), *fields],
        )
        started = time.perf_counter()
        connection = await self._pool.acquire(fresh=True)
        try:
            connection.begin(head_only=False)
            connection.write(head, last=True)
            answer = await connection.head()
            at = time.time()
            body, problem = bytearray(), None
            while data := await connection.answer.read():
                body += data
                if len(body) > self._limit:
                    problem = "too-large"
                    break
        finally:
            connection.abort()
        whole = b"" if problem else bytes(body)
        coding = b",".join(values(answer.headers, b"content-encoding"))
        if coding and whole:
            try:
                whole = decode(whole, coding, self._limit)
            except CodingError as error:
                problem = str(error)
        return Answer(answer.status, answer.headers, whole, time.perf_counter() - started, at, problem)

    def close(self) -> None:
        """Close the connections."""
        self._pool.abort()


class Askers:
    """An asker for the gateway, and one for each other receiver of webhooks. Close it after use."""

    def __init__(self, settings: Settings) -> None:
        """Raises `OSError` or `ssl.SSLError` where a certificate file cannot be used."""
        site = build_site(settings)
        self._pools = site.pools.values()
        self.gateway = Asker(site.pool, settings.limits.corrected)
        self.others = {
            name.removeprefix("hub "): Asker(pool, 0) for name, pool in site.pools.items() if pool is not site.pool
        }
        """By URL."""

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            pool.abort()
