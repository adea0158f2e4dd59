"""Checks of `tls` and `gateway_tls`: the files can be read and belong together."""

from statusproxy.config.certificates import CertificateError, check_authorities, check_pair
from statusproxy.config.settings import GatewayTls, Tls
from statusproxy.config.spot import Block


def check_tls(tls: Tls, block: Block) -> None:
    """Refuse files that cannot be read or do not belong together."""
    _check_pair(block, tls.certificate, tls.key)


def check_gateway_tls(files: GatewayTls, block: Block) -> None:
    """Refuse files that cannot be read, and a client certificate or key without the other."""
    if files.ca is not None:
        try:
            check_authorities(files.ca)
        except CertificateError as error:
            raise block.at("ca").error(str(error)) from None
    if files.certificate is not None and files.key is not None:
        _check_pair(block, files.certificate, files.key)
    elif files.certificate is not None:
        raise block.at("certificate").error("found without gateway_tls.key; allowed: both, or neither")
    elif files.key is not None:
        raise block.at("key").error("found without gateway_tls.certificate; allowed: both, or neither")


def _check_pair(block: Block, certificate: str, key: str) -> None:
    try:
        check_pair(certificate, key)
    except CertificateError as error:
        raise block.at(error.file).error(str(error)) from None
