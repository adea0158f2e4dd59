"""The date of an answer made here."""

import time
from email.utils import parsedate_to_datetime

import pytest

from statusproxy.proxy.date_field import date_now


def test_it_is_the_time_of_now_as_http_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 784111777.0)
    assert date_now() == (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT")  # the example of RFC 9110 §5.6.7


def test_it_is_a_date_that_others_read() -> None:
    assert parsedate_to_datetime(date_now()[1].decode()).tzinfo is not None
