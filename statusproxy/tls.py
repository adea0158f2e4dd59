"""TLS contexts from the settings: for our own port, for the gateway, and for another receiver of webhooks."""

import ssl

from statusproxy.config.settings import GatewayTls, Tls


def server_context(files: Tls | None) -> ssl.SSLContext | None:
    """The context for TLS on our own port: TLS 1.2 or newer, modern ciphers; None where it is not configured.

    Raises `OSError` where a file cannot be used.
    """
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, files)
    return context


def load_certificate(context: ssl.SSLContext, files: Tls) -> None:
    """Have `context` show the certificate in `files` from the next connection on. Raises `OSError`."""
    context.load_cert_chain(files.certificate, files.key, password=_no_password)


def gateway_context(files: GatewayTls) -> ssl.SSLContext:
    """The context for an `https:` gateway. Raises `OSError` where a file cannot be used."""
    context = ssl.create_default_context(cafile=files.ca)
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    return context


def _no_password() -> bytes:
    """The password of an encrypted key: a service must not stop to ask for one at its terminal."""
    return b""
