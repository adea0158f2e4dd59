"""HTTP/1.1 as values: bytes in, heads and data out."""
