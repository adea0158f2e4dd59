"""What a running proxy tells the doctor of itself."""

import os

from statusproxy import __version__
from statusproxy.admin.messages import Health
from statusproxy.admin.selfreport import self_report
from statusproxy.config.load import dump
from tests.admin.harness import Admin


async def test_the_report_has_what_the_process_alone_knows(admin: Admin) -> None:
    server = admin.proxy.server
    await admin.lose("sales")
    server.proxy.site.trust.strangers["203.0.113.9"] = None
    health = Health("ok", "ok", "ok")
    report = self_report(server.registry, server.proxy, server.settings, ["here"], health, ["listen"], ["gateway"])
    assert (report.version, report.pid, report.settings) == (__version__, os.getpid(), dump(server.settings))
    assert (report.listening, report.waiting, report.given) == (["here"], ["listen"], ["gateway"])
    assert report.health is health
    assert (report.started, report.webhooks.heard) == (server.registry.started_at, 1)
    assert report.now >= report.started
    assert report.absences == []
    assert report.forwarding_strangers == ["203.0.113.9"]
