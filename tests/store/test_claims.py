"""How long a claim is held is what the documents promise."""

import pytest

from statusproxy.store.claims import LEASE
from tests.docs.pages import ROOT


@pytest.mark.parametrize(
    ("page", "promise"),
    [
        ("spool.md", "holds a claim of {} seconds"),
        ("spool.md", "another takes over within {} seconds plus a pause of two seconds"),
        ("alerts.md", "takes over within {} s if it dies"),
    ],
)
def test_a_proxy_that_dies_holds_its_claims_for_as_long_as_the_documents_say(page: str, promise: str) -> None:
    assert promise.format(f"{LEASE:g}") in (ROOT / "docs" / page).read_text()
