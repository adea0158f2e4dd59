"""The names of the keys in Redis, all with the prefix of one group of proxies.

statusproxy:records    hash: session id -> its record, a line of JSON (`codec`), its moments in the server's time
statusproxy:forgotten  sorted set: session id, by the time at which it was forgotten; for a day
statusproxy:history    sorted set by time of recording: "number change", the number telling equal ones apart
statusproxy:changes    stream: what was written to `records` and `spool`, and by which proxy; the newest ten thousand
statusproxy:epoch      string: made up when the keys were; another one, or none: the server lost its memory
statusproxy:format     string: the number of this arrangement of the keys
statusproxy:proxies    hash: a proxy's id -> what it says of itself (`Proxy`), every few seconds
statusproxy:rejected   hash: "time session id" -> a row that could not be read, as it was found
statusproxy:owner      string, expires: keeps versions out that would have the keys for themselves
statusproxy:claims     hash: what only one proxy does -> until when, for how long at a time, and which proxy
statusproxy:outbox     hash: the document of alerts (`payload`), and how often it was written (`version`)

statusproxy:spool            hash: an entry's id -> what is known of it, a line of JSON (`codec`), in the server's time
statusproxy:spool:contents   hash: "id:h" -> its head, "id:b" -> its body where that is small
statusproxy:spool:body:ID    string: a large body
statusproxy:spool:upload:ID  string, expires: a large body that is on its way
"""

from dataclasses import dataclass
from typing import Final

from statusproxy.config.state_url import Place

__all__ = ["FORMAT", "Names", "field_of", "session_of"]

#: The number of this arrangement of the keys. Versions with the same number share a map; a row's members that one of
#: them does not know stay as they are.
FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class Names:
    """The keys of one group of proxies."""

    records: str
    forgotten: str
    history: str
    changes: str
    epoch: str
    format: str
    proxies: str
    rejected: str
    owner: str
    claims: str
    outbox: str
    spool: str
    spool_contents: str

    @classmethod
    def of(cls, place: Place) -> "Names":
        """The keys at a place."""
        return cls(**{name: place.prefix + name.replace("_", ":") for name in cls.__slots__})

    def body(self, id_: str) -> str:
        """The key of an entry's body, where that is large."""
        return f"{self.spool}:body:{id_}"

    def upload(self, id_: str) -> str:
        """The key of a large body that is on its way."""
        return f"{self.spool}:upload:{id_}"


def field_of(session: str) -> bytes:
    """A session's id as a field of a hash. Ids may hold what is no Unicode."""
    return session.encode("utf-8", "surrogatepass")


def session_of(field: bytes) -> str:
    """The session's id that a field names; `UnicodeDecodeError` where it names none."""
    return field.decode("utf-8", "surrogatepass")
