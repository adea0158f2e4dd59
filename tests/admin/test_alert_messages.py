"""Messages about alerts, as a command of another version reads them."""

from statusproxy.admin.alert_messages import AlertsReport
from statusproxy.admin.messages import read


def test_what_an_older_proxy_does_not_tell_has_its_default() -> None:
    report = read({"now": None, "configured": True}, AlertsReport)
    assert (report.sending, report.written, report.targets, report.heartbeat, report.messages) == (
        False, True, [], None, [],
    )  # fmt: skip
