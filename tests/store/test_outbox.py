"""What the outbox of any store is read as."""

from statusproxy.store.outbox import OutboxDocument


def test_a_document_is_its_version_and_its_payload() -> None:
    assert OutboxDocument(3, b"{}") == (3, b"{}")
