"""A session's id, cut from a secret beside it."""

import pytest

from statusproxy.status.session_cut import Cut

FIRST = Cut(":", session_first=True)
LAST = Cut(":", session_first=False)


@pytest.mark.parametrize(
    ("cut", "text", "session", "bare"),
    [
        (FIRST, "pixel:$2b$10$key", "pixel", "pixel"),
        (FIRST, "pixel:k:e:y", "pixel", "pixel"),
        (FIRST, "pixel", None, "pixel"),
        (FIRST, "pixel:", None, "pixel:"),
        (FIRST, ":key", None, None),
        (FIRST, ".:key", None, None),
        (FIRST, "..:key", None, None),
        (LAST, "k:e:y:pixel", "pixel", "pixel"),
        (LAST, "pixel", None, "pixel"),
        (LAST, ":pixel", None, ":pixel"),
        (LAST, "key:", None, None),
    ],
)
def test_an_id_is_cut_where_a_secret_stands_beside_it(
    cut: Cut, text: str, session: str | None, bare: str | None
) -> None:
    assert (cut.session(text), cut.bare(text)) == (session, bare)
