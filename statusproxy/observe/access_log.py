"""The access log (`log.access`): one line for each request, without query, ids in paths or field values.

Of the path, the template of the route that matched; else the first segment only.
"""

import logging
from typing import Final

from statusproxy.observe.exchange_report import Report

log = logging.getLogger("statusproxy.access")

#: What `log.access` may say instead of true: a format of its own, independent of `log.format`.
FORMS: Final = ("json", "combined")


def tell(report: Report, access: bool | str) -> None:
    """Log one finished exchange."""
    log.info(
        "%s %s %d",
        report.method,
        report.path,
        report.status,
        extra={
            "request_id": report.request_id,
            "client": report.client,
            "method": report.method,
            "path": report.path,
            "route": report.kind.name.lower(),
            "status": report.status,
            "ms": round(report.seconds * 1000, 2),
            "received": report.received,
            "sent": report.sent,
            "problem": report.problem,
            **({"form": access} if access in FORMS else {}),
        },
    )
