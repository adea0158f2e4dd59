"""The values of `try`'s options, as click reads them."""

from __future__ import annotations

import time

import click

from statusproxy.captures import epoch
from statusproxy.config.paths import check_header_name
from statusproxy.config.units import parse_duration


def headers(context: click.Context, parameter: click.Parameter, said: tuple[str, ...]) -> list[tuple[str, str]]:
    """Headers as NAME:VALUE. An error never repeats one: it may be a secret."""
    found = []
    for line in said:
        name, colon, value = line.partition(":")
        try:
            found.append((check_header_name(name.strip()), value.strip()))
        except ValueError:
            colon = ""
        if not colon:
            raise click.BadParameter("write NAME:VALUE, such as X-Webhook-Secret:VALUE", context, parameter)
    return found


def moment(context: click.Context, parameter: click.Parameter, said: str | None) -> float:
    """A time as epoch seconds; the time now if none is given."""
    if said is None:
        return time.time()
    found = epoch(said)
    if found is None:
        raise click.BadParameter("write ISO 8601 with a zone, such as 2026-01-15T19:07:10Z", context, parameter)
    return found


def duration(context: click.Context, parameter: click.Parameter, said: str) -> float:
    """A duration such as 90s, in seconds."""
    try:
        return parse_duration(said)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
