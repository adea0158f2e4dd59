"""Network errors in plain words: what happened, without numbers, addresses or names of calls.

asyncio says `[Errno 111] Connect call failed ('127.0.0.1', 3000)`, uvloop `[Errno 111] Connection refused`, OpenSSL
`[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1016)`. An operator gets one wording for one cause.
"""

import errno
import http.client
import os
import re
import socket
import ssl
from typing import Final

__all__ = ["in_words"]

_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the other side closed the connection",
    errno.EPIPE: "the other side closed the connection",
    errno.ECONNABORTED: "the connection was aborted",
    errno.ETIMEDOUT: "no answer in time",
    errno.EHOSTUNREACH: "no route to that host",
    errno.EHOSTDOWN: "no route to that host",
    errno.ENETUNREACH: "no route to that network",
    errno.EADDRINUSE: "the address is already in use",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EEXIST: "a file that is not a socket exists already",
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "there is no such file",
    errno.EMFILE: "too many files and connections are open",
    errno.ENFILE: "too many files and connections are open",
}

_NAMES: Final = {
    socket.EAI_NONAME: "the host name is unknown",
    socket.EAI_NODATA: "the host name has no address",
    socket.EAI_AGAIN: "the name server does not answer",
}

NO_TLS: Final = "the other side does not speak TLS"

_TLS: Final = {
    "WRONG_VERSION_NUMBER": NO_TLS,
    "HTTP_REQUEST": NO_TLS,
    "RECORD_LAYER_FAILURE": NO_TLS,
    "UNSUPPORTED_PROTOCOL": "the other side speaks only an old version of TLS",
    "CERTIFICATE_REQUIRED": "the other side asks for a certificate",
    "UNEXPECTED_EOF_WHILE_READING": "the other side closed the connection",
}

#: Errors that carry no number, or another's.
_TYPES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TimeoutError, "no answer in time"),
    (http.client.RemoteDisconnected, "the other side closed the connection"),
    (http.client.HTTPException, "the other side does not speak HTTP"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionError, "the other side closed the connection"),
)

#: Of several addresses that failed in several ways, asyncio gives the errors only in the text.
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")


def in_words(error: BaseException) -> str:
    """What an error of a socket, a name look-up, TLS or `http.client` means, as the end of a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return _TLS.get(reason) or f"no secure connection: {reason.replace('_', ' ').lower() or 'TLS failed'}"
    if isinstance(error, socket.gaierror):
        return _NAMES.get(error.errno or 0, "the host name cannot be resolved")
    if isinstance(error, OSError) and error.errno:
        return _WORDS.get(error.errno) or os.strerror(error.errno).lower()
    for kind, words in _TYPES:
        if isinstance(error, kind):
            return words
    numbers = dict.fromkeys(map(int, _NUMBER.findall(str(error))))
    return ", ".join(dict.fromkeys(_WORDS.get(each) or os.strerror(each).lower() for each in numbers)) or str(error)
