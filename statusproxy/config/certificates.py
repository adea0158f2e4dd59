"""Certificate files: can they be read, are they what they should be, do they belong together.

The errors name the setting and never the path: a password or the key itself may have been written in its place.
"""

import ssl


class CertificateError(Exception):
    """A certificate file cannot be used. `file` tells which of the two: "certificate", "key" or "authorities"."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(problem)
        self.file = file


def check_pair(certificate: str, key: str) -> None:
    """Raise CertificateError unless the PEM files at these paths hold a certificate and its private key."""
    _read(certificate, "certificate")
    _read(key, "key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # The password is never asked for: a service has no one to ask.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = "found the key of another certificate; allowed: the certificate's own"
            raise CertificateError("key", problem) from None
        problem = "found no certificate with its key; allowed: PEM files, the key unencrypted"
        raise CertificateError("certificate", problem) from None


def check_authorities(path: str) -> None:
    """Raise CertificateError unless the PEM file at `path` holds certificates of authorities."""
    _read(path, "authorities")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise CertificateError("authorities", "found no certificate in the file; allowed: a PEM file") from None


def _read(path: str, file: str) -> None:
    try:
        with open(path, "rb") as stream:
            stream.read(1)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it has a character that no path can have"
        raise CertificateError(file, f"the file cannot be read: {problem}; allowed: the path of a PEM file") from None
