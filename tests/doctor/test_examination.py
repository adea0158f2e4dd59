"""The table of looks: each file under `looks` that looks is in it, and they are taken in order."""

from __future__ import annotations

import pkgutil

from statusproxy.config.load import loads
from statusproxy.doctor import looks
from statusproxy.doctor.examination import LOOKS, examine
from statusproxy.doctor.findings import Finding, note
from statusproxy.doctor.subject import Subject

#: Modules beside the looks that hold no look of their own.
NO_LOOKS = {"shapes", "singles", "other_preset"}


def test_every_look_is_in_the_table_once() -> None:
    files = {module.name for module in pkgutil.iter_modules(looks.__path__)}
    assert sorted(look.__module__.rpartition(".")[2] for look in LOOKS) == sorted(files - NO_LOOKS)


async def test_looks_are_taken_in_order_and_later_ones_know_what_earlier_ones_learned() -> None:
    async def first(subject: Subject) -> list[Finding]:
        subject.gateway_answers = True
        return [note("disk.in-use", path="first")]

    async def second(subject: Subject) -> list[Finding]:
        return [note("disk.in-use", path=str(subject.gateway_answers))]

    found = await examine(Subject(loads("gateway: http://gw")), [first, second])
    assert [one.facts["path"] for one in found] == ["first", "True"]
