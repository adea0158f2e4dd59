"""The bytes of downloads, made again."""

from __future__ import annotations

import hashlib

from tests.peers.pattern import BLOCK, pattern, pattern_sha256


def test_the_pattern_repeats_after_a_prime_number_of_bytes() -> None:
    made = pattern(2 * len(BLOCK) + 3)
    assert made == BLOCK + BLOCK + BLOCK[:3]
    assert BLOCK[:3] == bytes((7, 138, 13))


def test_its_hash_is_that_of_the_bytes() -> None:
    assert pattern_sha256(100_000) == hashlib.sha256(pattern(100_000)).hexdigest()
    assert pattern(0) == b""
