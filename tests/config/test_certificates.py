"""Certificate files are tried when the configuration is read, so that a start or reload cannot fail on them."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from statusproxy.config.certificates import CertificateError, check_authorities, check_pair
from statusproxy.config.load import loads

GATEWAY = "gateway: https://gw.example\n"


def make(folder: Path, name: str, password: bytes | None = None) -> tuple[str, str]:
    """Write a certificate and its key; their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy.example")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


def test_a_certificate_and_its_key_are_accepted(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "a")
    check_pair(certificate, key)
    check_authorities(certificate)
    tls = loads(f"{GATEWAY}tls: {{certificate: {certificate}, key: {key}}}").tls
    assert tls is not None
    assert tls.key == key
    pinned = f"{{ca: {certificate}, certificate: {certificate}, key: {key}, server_name: gw}}"
    assert loads(f"{GATEWAY}gateway_tls: {pinned}").gateway_tls.server_name == "gw"


def test_another_certificates_key_is_refused(tmp_path: Path) -> None:
    certificate, _ = make(tmp_path, "a")
    _, key = make(tmp_path, "b")
    with pytest.raises(CertificateError) as caught:
        check_pair(certificate, key)
    assert caught.value.file == "key"
    assert str(caught.value) == "found the key of another certificate; allowed: the certificate's own"


def test_an_encrypted_key_is_refused_and_no_one_is_asked(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="the key unencrypted"):
        check_pair(*make(tmp_path, "a", b"secret"))


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("no certificate")
    with pytest.raises(CertificateError, match="found no certificate with its key; allowed: PEM files"):
        check_pair(str(file), str(file))
    with pytest.raises(CertificateError, match="found no certificate in the file; allowed: a PEM file"):
        check_authorities(str(file))


def test_an_error_tells_which_file_cannot_be_read_and_not_its_path(tmp_path: Path) -> None:
    certificate, _ = make(tmp_path, "a")
    with pytest.raises(CertificateError, match="the file cannot be read: No such file") as caught:
        check_pair(certificate, str(tmp_path / "gone"))
    assert caught.value.file == "key"
    assert "gone" not in str(caught.value)
    with pytest.raises(CertificateError, match="a character that no path can have"):
        check_authorities("a\0b")
