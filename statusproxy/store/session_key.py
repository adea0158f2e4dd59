"""A session's id as the key of its row in SQLite: text where that is Unicode, so that an operator can read it."""

__all__ = ["key_text", "row_key", "session_bytes"]


def session_bytes(session: str) -> bytes:
    """The id's bytes; an id may hold what is no Unicode."""
    return session.encode("utf-8", "surrogatepass")


def row_key(session: str) -> str | bytes:
    """The key of a session's row: text, or the bytes of what is no Unicode."""
    return session if session.isascii() else key_text(session_bytes(session))


def key_text(key: bytes) -> str | bytes:
    """The bytes of a key as text, where they are Unicode."""
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        return key
