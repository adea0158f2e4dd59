"""The error of an exchange with the gateway."""

from typing import Final

__all__ = ["UNREACHED", "UpstreamError"]

#: Problems of a request (`proxy.problems`) that mean that no connection to the gateway was made.
UNREACHED: Final = frozenset(
    {"gateway_unreachable", "gateway_name_unknown", "gateway_tls_failed", "gateway_connect_slow"}
)


class UpstreamError(Exception):
    """An exchange with the gateway failed.

    `code` is the entry of `problems.PROBLEMS` that tells the client; `answered` says whether any byte of an answer
    came.
    """

    def __init__(self, code: str, detail: str = "", *, answered: bool = False) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.answered = answered
