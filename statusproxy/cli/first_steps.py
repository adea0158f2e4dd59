"""The commands around an installation: demo, init, doctor."""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from statusproxy.cli.options import admin_option, config_option, json_option
from statusproxy.cli.output import EXIT_FAILURE, fail, show, show_json
from statusproxy.observe.terminal import colours
from statusproxy.observe.visible import visible

if TYPE_CHECKING:
    from statusproxy.demo.dialect import Dialect


@click.command()
@click.option("--serve", is_flag=True, help="Keep running, and print curl commands to try.")
@click.option(
    "--gateway",
    metavar="NAME",
    default="gateway-wrapper",
    show_default=True,
    help="The gateway to imitate, by the name of its preset.",
)
@click.option("--stand-in", metavar="HOST:PORT", help="Serve only the stand-in gateway, at this address.")
@click.option("--proxy", metavar="URL", help="With --stand-in: the proxy that gets its webhooks.")
def demo(serve: bool, gateway: str, stand_in: str | None, proxy: str | None) -> None:
    """Play the story of a lost session against a stand-in gateway."""
    from statusproxy.demo import dialect_story, story
    from statusproxy.demo.dialects.table import DEFAULT, NoStoryError, dialect

    if stand_in is None and proxy is not None:
        raise click.UsageError("--proxy goes with --stand-in")
    if stand_in is not None and serve:
        raise click.UsageError("--serve starts a proxy, --stand-in starts none: give one of the two")
    play, keep_up, chosen = story.play, story.serve, None
    if gateway != DEFAULT:
        try:
            chosen = dialect(gateway)
        except NoStoryError as error:
            raise click.BadParameter(str(error), param_hint="--gateway") from None
        play, keep_up = partial(dialect_story.play, chosen), partial(dialect_story.serve, chosen)
    if stand_in is not None:
        _serve_stand_in(chosen, stand_in, proxy)
        return
    if serve:
        asyncio.run(keep_up())
        return
    sys.exit(0 if asyncio.run(play()) else 1)


def _serve_stand_in(chosen: "Dialect | None", address: str, proxy: str | None) -> None:
    from statusproxy.config.addresses import parse_host_and_port
    from statusproxy.demo import service

    try:
        host, port = parse_host_and_port(address, None)
    except ValueError:
        raise click.BadParameter(f"found {address!r}; allowed: host:port", param_hint="--stand-in") from None
    try:
        asyncio.run(service.serve(service.gateway(chosen, proxy and proxy.rstrip("/")), host or "0.0.0.0", port))
    except OSError as error:
        fail(f"cannot listen on {address}: {error.strerror or error}", EXIT_FAILURE)


@click.command()
@click.option("--gateway", metavar="URL", required=True, help="The gateway to ask.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the gateway's secret. It is sent only to the gateway, and stored nowhere.",
)
@click.option("--preset", metavar="NAME", help="The preset to use if the kind of gateway cannot be detected.")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config.yaml"),
    show_default=True,
    help="The file to write; an existing file is never overwritten.",
)
@json_option
def init(gateway: str, secret_file: Path | None, preset: str | None, output: Path, as_json: bool) -> None:
    """Detect the kind of a gateway, and write a config.yaml for it.

    Sends a few harmless GET requests for lists, and chooses the preset by the shape of the answers.
    """
    from statusproxy.detection.command import InitError
    from statusproxy.detection.command import init as write_configuration

    try:
        told = asyncio.run(write_configuration(gateway, output, secret_file=secret_file, preset=preset))
    except InitError as error:
        for line in str(error).split("\n"):
            click.echo(visible(line), err=True)
        sys.exit(EXIT_FAILURE)
    if as_json:
        import yaml

        show_json({"file": str(output), "preset": yaml.safe_load(output.read_text())["preset"], "text": told})
        return
    for line in told.split("\n"):
        click.echo(visible(line))


@click.command()
@config_option
@admin_option
@click.option("--gateway", metavar="URL", help="Where everything is forwarded, as in `run`.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the gateway's secret, to check the channel list. [default: STATUSPROXY_GATEWAY_SECRET]",
)
@click.option(
    "--secret-header",
    metavar="NAME",
    help="The header with the secret. [default: the preset's, else X-Gateway-Secret]",
)
@click.option(
    "--language",
    type=click.Choice(["en", "pt-BR"]),
    help="The report's language. [default: pt-BR if LANG is Portuguese, else en]",
)
@click.option("--send", is_flag=True, help="Also send a test message to each alert target, and a heartbeat.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(
    config: Path | None,
    admin: str | None,
    gateway: str | None,
    secret_file: Path | None,
    secret_header: str | None,
    language: Literal["en", "pt-BR"] | None,
    send: bool,
    as_json: bool,
) -> None:
    """Check the installation; say what is wrong, and how to fix it.

    Works before and after the installation. Checks the configuration, ports, gateway, channel list, webhooks, clocks,
    disk and service, and asks the running proxy for what only it knows. Changes nothing, and prints no secret. Sends
    messages to alert targets only with --send.

    The exit code is 0 if all is well, 1 if there are warnings, 2 if there is a problem (or the
    configuration is not valid).
    """
    from statusproxy.doctor import command

    request = command.Request(
        config=config,
        admin=admin,
        gateway=gateway,
        secret_file=secret_file,
        secret_header=secret_header,
        language=language,
        as_json=as_json,
        send=send,
    )
    try:
        report, code = asyncio.run(command.report(request, os.environ, colours=colours(sys.stdout, os.environ)))
    except (ValueError, OSError) as error:  # of the secret: it cannot be read, or cannot be sent
        raise click.UsageError(visible(str(error))) from None
    show(report)
    sys.exit(code)
