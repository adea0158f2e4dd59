"""Certificate files: can they be read, are they what they should be, do they belong together."""

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
            raise CertificateError("key", f'"{key}" is not the key of "{certificate}"') from None
        allowed = "allowed: PEM files, the key unencrypted"
        problem = f'"{certificate}" and "{key}" are not a certificate and its key; {allowed}'
        raise CertificateError("certificate", problem) from None


def check_authorities(path: str) -> None:
    """Raise CertificateError unless the PEM file at `path` holds certificates of authorities."""
    _read(path, "authorities")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise CertificateError("authorities", f'"{path}" holds no certificate; allowed: a PEM file') from None


def _read(path: str, file: str) -> None:
    try:
        with open(path, "rb") as stream:
            stream.read(1)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise CertificateError(file, f'"{path}" cannot be read: {problem}') from None
