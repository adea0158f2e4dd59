"""The commands for those who write a preset: try, learn."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from statusproxy.admin import messages
from statusproxy.cli.options import admin_option, config_option, json_option, session_id
from statusproxy.cli.output import EXIT_CONFIG, fail, show, show_json
from statusproxy.cli.running_proxy import ask, typed
from statusproxy.cli.settings import read_settings
from statusproxy.config.layers import find_file
from statusproxy.config.load import load
from statusproxy.config.paths import check_template, check_webhook_path
from statusproxy.config.settings import Settings
from statusproxy.learning.gaps import Gap, gaps
from statusproxy.observe.terminal import colours
from statusproxy.observe.visible import visible
from statusproxy.rehearsal import options
from statusproxy.systemd import environment


@click.command("try")
@config_option
@click.option(
    "--preset", metavar="NAME", help="A preset to use instead of a configuration file, or instead of the file's preset."
)
@click.option("--event", "events", metavar="FILE", multiple=True, help="Webhook bodies: JSON, one per line, or a form.")
@click.option("--path", metavar="PATH", help="The path that the events are posted to. [default: the first webhook's]")
@click.option(
    "--header", "headers", metavar="NAME:VALUE", multiple=True, callback=options.headers, help="A header of the events."
)
@click.option("--list", "lists", metavar="FILE", multiple=True, help="The gateway's answer to correct.")
@click.option("--route", "routes", metavar="PATH", multiple=True, help="The path of that answer. [default: the list's]")
@click.option("--qr", metavar="FILE", help="The answer of the QR route: JSON or an image.")
@click.option(
    "--session", callback=session_id, metavar="ID", help="The session of the QR code, if several are disconnected."
)
@click.option(
    "--at", "now", metavar="TIME", callback=options.moment, help="When the first event arrives. [default: now]"
)
@click.option(
    "--wait",
    metavar="DURATION",
    default="0s",
    callback=options.duration,
    help="The time from the last event to the list.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def rehearse(config: Path | None, preset: str | None, as_json: bool, **given: Any) -> None:
    """Show the effect of events and answers, offline: the matching rule, the correction, and what would end it.

    A FILE of - is standard input. A line may hold a request: {"body": …, "headers": …, "path": …, "at": …}.
    Nothing is sent and nothing is stored. Of each body, only ids, event names, state words and times are printed.

    \b
    The exit code is
    0  if each event that means disconnected takes effect, is late or repeated, or says what is already known;
    1  if one changes nothing for another reason, or no rule matches it;
    2  if the options, files or configuration cannot be used.
    """
    from statusproxy.rehearsal.command import Request, UsageError, play, report

    request = Request(**given, as_json=as_json)
    try:
        request.check()
        named = config or find_file(environment())
        settings = read_settings(lambda: _rehearsed(config, preset), instead="" if named else ", or give --preset")
        results = play(settings, request)
    except UsageError as error:
        fail(str(error), EXIT_CONFIG)
    show(report(results, as_json=as_json, colours=colours(sys.stdout, os.environ)))
    sys.exit(results.exit_code)


def _rehearsed(config: Path | None, preset: str | None) -> Settings:
    """The settings to try: the file's, or those of a preset alone, for which no gateway is needed."""
    if preset is None:
        return load(config, None, environment())
    if "/" in preset or preset.endswith(".yaml"):  # a file, wherever the configuration file is
        preset = str(Path(preset).absolute())
    if config is None:
        return load(os.devnull, {"preset": preset}, {}, gateway="http://gateway.example")
    return load(config, {"preset": preset}, environment())


@click.command()
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=60, show_default=True, help="How long to learn.")
@click.option("--show", is_flag=True, help="Print the draft made from what was learned so far.")
@click.option("--stop", is_flag=True, help="Stop learning, and forget what was learned.")
@click.option(
    "--from",
    "captures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Learn from captured events instead: JSON, one JSON document per line, or form bodies. Repeatable.",
)
@click.option("--path", metavar="PATH", help="With --from: the path of the webhook's URL.")
@click.option(
    "--list",
    "lists",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A captured answer with the list of sessions, or with one. Repeatable, each with its --route.",
)
@click.option("--route", "routes", multiple=True, metavar="PATH", help="The route of --list; {session} for an id.")
@config_option
@admin_option
@json_option
def learn(
    minutes: int,
    show: bool,
    stop: bool,
    captures: tuple[Path, ...],
    path: str | None,
    lists: tuple[Path, ...],
    routes: tuple[str, ...],
    config: Path | None,
    admin: str | None,
    as_json: bool,
) -> None:
    """Draft a preset for a gateway that has none.

    Asks the running proxy to learn from the webhooks and lists that pass through it; --show prints the draft. With
    --from or --list, learns from captured files instead. Only names of members, state words and counts are kept, but no
    id, number or text.

    The exit code is 1 if the given events make no rule, or none for a loss, or if the given lists make no entry of
    channels.
    """
    if captures or lists:
        from statusproxy.captures import CaptureError
        from statusproxy.config.every_gateway import every_gateway
        from statusproxy.learning.offline import draft_from

        if show or stop:
            raise click.UsageError("--show and --stop ask a running proxy; leave out --from and --list")
        try:
            draft = draft_from(captures, path, lists, routes, every_gateway().own.paths)
        except (CaptureError, OSError) as error:
            raise click.UsageError(visible(str(error))) from None
        _check_paths(path, routes)
        if as_json:
            lacking = gaps(draft)
            show_json({"draft": draft, "gaps": [gap.name.lower() for gap in lacking]})
        else:
            click.echo(draft, nl=False)
            lacking = _tell_gaps(draft)
        if (captures and {Gap.EVENTS, Gap.LOSS} & set(lacking)) or (lists and Gap.CHANNELS in lacking):
            sys.exit(1)
        return
    if show and stop:
        raise click.UsageError("--show and --stop cannot be given together; show the draft first")
    method, target = (
        ("GET", "/learn") if show else ("DELETE", "/learn") if stop else ("POST", f"/learn?minutes={minutes}")
    )
    said = ask(config, admin, method, target)
    answer = typed(said, messages.Learned)
    if as_json:
        more = {"gaps": [gap.name.lower() for gap in gaps(answer.draft or "")]} if show else {}
        show_json({**said, **more})
        return
    if show:
        click.echo(answer.draft or "", nl=False)
    from statusproxy.admin.table import learned_text

    click.echo(learned_text(answer, begun=method == "POST"), err=show)
    if show:
        _tell_gaps(answer.draft or "")


def _check_paths(path: str | None, routes: tuple[str, ...]) -> None:
    """Refuse a path that `check` would refuse in the draft; it is not repeated, for a secret may stand in it."""
    given = [("--path", check_webhook_path, path), *(("--route", check_template, route) for route in routes)]
    for option, check, text in given:
        try:
            if text is not None:
                check(text)
        except ValueError as error:
            raise click.UsageError(f"{option} cannot be used; {error}") from None


def _tell_gaps(draft: str) -> list[Gap]:
    """Say on stderr what a draft lacks; that."""
    lacking = gaps(draft)
    for gap in lacking:
        click.echo(f"Note: {gap.value}.", err=True)
    return lacking
