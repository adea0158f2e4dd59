"""A spool for the tests of the proxy: it does what it is told, and remembers what it was told."""

import asyncio
import itertools
import tempfile
from pathlib import Path

from statusproxy.proxy.ports import Arrived, Attempt, NotKeptError, Parcel, Unkept


class FakeSpool:
    """Implements `SpoolPort`. It takes the files of large bodies to a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "spool"
        self.folder.mkdir(mode=0o700)
        self.resends = False
        self.is_quiet = True
        self.admits = True
        self.room: int | None = None
        """Bytes for which there is room; None for any number."""
        self.durable = asyncio.Event()
        """What is kept is on disk."""
        self.durable.set()
        self.writes = True
        self.keeping = 0
        """How often it was asked to keep an event for which it had room."""
        self.kept: list[tuple[Parcel, Attempt]] = []
        self.bodies: list[bytes] = []
        """What the bodies of `kept` hold."""
        self.told: list[tuple[str, str | None, Attempt]] = []
        """What became of attempts, as `attempted` was told."""
        self.here: list[Arrived] = []
        """The events that have arrived and not left."""
        self._numbers = itertools.count(1)
        self.asked: list[tuple[str, str | None, int]] = []
        """What was to be admitted, and its bytes."""

    def quiet(self, receiver: str) -> bool:
        return self.is_quiet

    def arrived(self, receiver: str, event: Unkept) -> Arrived:
        self.here.append(Arrived(receiver, f"id-{next(self._numbers)}", 0.0))
        return self.here[-1]

    def left(self, arrived: Arrived) -> None:
        if arrived in self.here:
            self.here.remove(arrived)

    def admit(self, receiver: str, session: str | None, size: int, arrived: Arrived) -> bool:
        assert arrived in self.here
        self.asked.append((receiver, session, size))
        return self.admits

    def has_room(self, size: int) -> bool:
        return self.room is None or size <= self.room

    async def keep(self, parcel: Parcel, attempt: Attempt, arrived: Arrived) -> str:
        assert arrived in self.here
        if not self.has_room(parcel.size):
            raise NotKeptError("the spool is full")
        self.keeping += 1
        await self.durable.wait()
        if not self.writes:
            raise NotKeptError("the spool cannot be written")
        if isinstance(parcel.body, Path):
            assert parcel.body.parent == self.folder
            parcel = parcel._replace(body=parcel.body.rename(Path(tempfile.mkdtemp(dir=self.folder.parent)) / "body"))
        self.kept.append((parcel, attempt))
        self.bodies.append(parcel.body.read_bytes() if isinstance(parcel.body, Path) else parcel.body)
        self.left(arrived)
        return arrived.id

    def attempted(self, receiver: str, session: str | None, attempt: Attempt) -> None:
        self.told.append((receiver, session, attempt))

    @property
    def files(self) -> list[Path]:
        """The files that lie in the folder."""
        return list(self.folder.iterdir())
