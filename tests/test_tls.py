"""The TLS contexts: modern on our own port, and for the gateway as strict as the settings say."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from statusproxy.config.settings import GatewayTls, Tls
from statusproxy.tls import gateway_context, load_certificate, server_context
from tests.certificates import make_certificate


def files(folder: Path) -> Tls:
    certificate, key = make_certificate(folder)
    return Tls(certificate=str(certificate), key=str(key))


def test_our_own_port_speaks_tls_only_where_configured() -> None:
    assert server_context(None) is None


def test_our_own_tls_is_a_modern_one(tmp_path: Path) -> None:
    context = server_context(files(tmp_path))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_a_file_that_is_no_certificate_is_an_error(tmp_path: Path) -> None:
    written = files(tmp_path)
    Path(written.certificate).write_text("no longer one")
    with pytest.raises(OSError, match=r"PEM|SSL"):
        server_context(written)


def test_a_renewed_certificate_is_shown_by_the_same_context(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    context = server_context(files(first))
    assert context is not None
    load_certificate(context, files(second))
    with pytest.raises(OSError, match="No such file"):
        load_certificate(context, Tls(certificate="/nowhere.pem", key="/nowhere.key"))


def test_an_encrypted_key_is_not_asked_a_password_for(tmp_path: Path) -> None:
    written = files(tmp_path)
    key = serialization.load_pem_private_key(Path(written.key).read_bytes(), None)
    Path(written.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"unknown"),
        )
    )
    with pytest.raises(ssl.SSLError):
        server_context(written)


def test_the_gateway_is_checked_unless_the_settings_say_otherwise() -> None:
    checked = gateway_context(GatewayTls())
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    loose = gateway_context(GatewayTls(verify=False))
    assert (loose.verify_mode, loose.check_hostname) == (ssl.CERT_NONE, False)


def test_the_gateway_is_trusted_by_the_authority_that_is_named_and_shown_our_certificate(tmp_path: Path) -> None:
    written = files(tmp_path)
    context = gateway_context(GatewayTls(ca=written.certificate, certificate=written.certificate, key=written.key))
    assert context.cert_store_stats()["x509"] == 1, "that authority alone"
    with pytest.raises(OSError, match="No such file"):
        gateway_context(GatewayTls(ca="/nowhere.pem"))
