"""The `Date` field of an answer made here: the one field of HTTP that reads the clock."""

from email.utils import formatdate

from statusproxy.proxy.http1.head import Header


def date_now() -> Header:
    """The `Date` field of an answer made here (RFC 9110 §6.6.1)."""
    return (b"Date", formatdate(usegmt=True).encode("ascii"))
