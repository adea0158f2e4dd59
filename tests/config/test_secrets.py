"""No secret shows in anything that is said about a configuration, however wrong it is written."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, loads
from statusproxy.store import open_store
from statusproxy.store.batch_writer import BatchWriter

#: What stands for the secret: nothing else in a configuration, and no known word, is like it.
MARK = "zq7wxk3vj9"

#: Places for a secret, rightly or wrongly, as the lines of a file; `@@` is where it stands.
PLACES = [
    "admin:\n  token: @@",
    "admin:\n  listen: @@\n  token: x",
    "admin: @@",
    "admin: {token: @@}",
    "admin: {token: x, @@}",
    "admin: {@@: x}",
    "admin:\n  @@",
    "admin:\n  <<: @@",
    "admin:\n  <<: {token: @@}",
    "state: @@",
    "state: {@@}",
    "state:\n  @@",
    "state:\n  url: @@",
    "state:\n  url: redis://:@@@h.example/0",
    "state:\n  url: rediss://user:a@@b@h.example:6379/0",
    "state:\n  url: 'redis://@@@h.example?prefix=a'",
    "state:\n  url: redis://:@@",
    "state: {url: redis://:a,@@@h.example}",
    "state: {url: 'redis://:@@@h.example/0?prefx=a'}",
    "state: {journal: ., url: @@}",
    "webhooks: @@",
    "webhooks: [@@]",
    "webhooks: [{path: /a, secret: @@}]",
    "webhooks: [{path: /a, secret: x,@@}]",
    "webhooks: [{path: /a, secret: [@@]}]",
    "webhooks: [{path: /a, secret: {@@}}]",
    "webhooks: [{path: /a, secret: {header: X-S, value: @@}}]",
    "webhooks: [{path: /a, secret: {header: X-S, value: x,@@}}]",
    "webhooks: [{path: /a, secret: {header: X-S, value: x,@@,@@}}]",
    "webhooks: [{path: /a, secret: {header: X-S, @@: value}}]",
    "webhooks:\n  - path: /a\n    secret:\n      header: '@@ x'\n      value: X-S",
    "webhooks:\n  - path: /a\n    secret:\n      header: X-S\n      value: @@",
    "webhooks:\n  - path: /a\n    <<: {secret: x,@@}",
    "webhooks:\n  - path: /a\n    secret: {header: X-S, value: x}\n    hmac: @@",
    "webhooks:\n  - path: /a\n    hmac: {header: X-S, secret: @@}",
    "webhooks:\n  - path: /a\n    hmac: {header: X-S, secret: s, algorithm: @@}",
    "webhooks:\n  - path: /a\n    hmac: {header: X-S, secret: s, encoding: x,@@}",
    "webhooks:\n  - path: /a\n    hmac:\n      header: X-S\n      @@",
    "webhooks:\n  - path: /a\n    jwt: @@",
    "webhooks:\n  - path: /a\n    jwt: [@@]",
    "webhooks:\n  - path: /a\n    jwt: {secret: @@}",
    "webhooks:\n  - path: /a\n    jwt: {secret: 'ssh-rsa @@'}",
    "webhooks:\n  - path: /a\n    jwt: {header: '@@ x', secret: s}",
    "webhooks:\n  - path: /a\n    token: @@",
    "webhooks:\n  - path: /a\n    token: {field: apikey, value: @@}",
    "webhooks:\n  - path: /a\n    token: {field: '@@.', value: apikey}",
    "webhooks:\n  - path: /a\n    token: {field: apikey, @@: value}",
    "webhooks: [{path: /a, forward_to: 'http://u:@@@hub.example/x'}]",
    "webhooks: [{path: /a, forward_to: 'u:@@@hub.example/x'}]",
    "webhooks: [{path: /a, forward_to: 'http://u:@@'}]",
    "webhooks: [{path: /a, forward_to: 'https://hub.example/x?key=@@'}]",
    "webhooks: [{path: /a, forward_to: 'https://hub.example/x y?key=@@'}]",
    "webhooks: [{path: '/a?key=@@'}]",
    "webhooks: [{path: 'http://u:@@@hub.example/x'}]",
    "reconnect: {create: ['post http://u:@@@gw.example/x']}",
    "alerts: @@",
    "alerts: {to: @@}",
    "alerts: {to: [@@]}",
    "alerts: {to: [{@@}]}",
    "alerts: {to: [{@@: x}]}",
    "alerts: {after: @@, heartbeat: 'https://kuma.example/x'}",
    "alerts: {heartbeat: @@}",
    "alerts: {heartbeat: 'https://kuma.example/@@'}",
    "alerts: {heartbeat: 'http://127.0.0.1:8090/@@'}",
    "alerts:\n  to:\n    - webhook: @@",
    "alerts: {to: [{webhook: 'https://hub.example/@@'}]}",
    "alerts: {to: [{webhook: 'https://hub.example/x y@@'}]}",
    "alerts: {to: [{webhook: 'https://u:@@@hub.example/x'}]}",
    "alerts: {to: [{webhook: 'http://127.0.0.1:8090/@@'}]}",
    "alerts: {to: [{webhook: 'https://hub.example/x', secret: @@}]}",
    "alerts: {to: [{webhook: 'https://hub.example/x', secret: whsec_@@}]}",
    "alerts: {to: [{webhook: 'https://hub.example/x', on: @@}]}",
    "alerts: {to: [{webhook: 'https://hub.example/x', apprise: @@}]}",
    "alerts: {to: [{apprise: 'tgram://@@/x'}]}",
    "alerts: {to: [{apprise: 'tgram:/@@/x'}]}",
    "alerts: {to: [{apprise: 'tgram://x', secret: @@}]}",
    "gateway: http://u:@@@gw.example",
    "gateway: u:@@@gw.example",
    "gateway: http://u:@@",
    "gateway: 'gw.example:3000?key=@@'",
    "gateway: 'http://gw.example:3000/#@@'",
    "gateway: 'http://u:x/@@@gw.example'",
    "listen: http://u:@@@h.example:80",
    "tls: @@",
    "tls: {certificate: @@, key: /k}",
    "tls: {certificate: /c, key: x,@@}",
    "tls:\n  certificate: |\n    @@\n  key: /k",
    "gateway_tls: {ca: x,@@}",
    "timeouts: {connect: x,@@}",
    "sessions: {releases: {alive: x,@@}}",
    "{state: x,@@}",
]

#: Ways to write it, all of which someone has in a password or takes for YAML.
SPELLINGS = [
    "@@",
    "'@@'",
    '"@@"',
    "*@@",
    "&@@",
    "&@@ x",
    "!@@",
    "!!@@ x",
    "!<@@> x",
    "!a!@@ x",
    "${@@}",
    "${@@-x}",
    "${x.@@}",
    "${@@",
    "$@@",
    "$${@@}",
    "x,@@",
    "x,@@,@@",
    "x: @@",
    "@@: x",
    "@@:",
    "x:@@",
    "[@@",
    "{@@",
    "]@@",
    "}@@",
    "'@@",
    '"@@',
    "'x'@@",
    '"x"@@',
    "|@@",
    ">@@",
    "%@@",
    "`@@",
    "? @@",
    "- @@",
    "#@@",
    "x #@@",
    "@@ #x",
    '"\\@@"',
    '"\\x@@"',
    '"\\u@@"',
    "x\n@@",
    "x\n  @@: y",
    "x\n  @@\n  y",
    "x\n\t@@",
    "x\\n@@",
    "redis://:@@",
    "redis:@@",
    "sqlite:@@@h",
    "<<: @@",
    "*a @@",
    "[*@@]",
    "{<<: *@@}",
    "@@\n---\nx",
]


def said_about(text: str, mark: str) -> str:
    """Everything that `check`, `run` and the log say of a configuration: its one error, or its settings and store."""
    before = "preset: null\n" + "gateway: http://gw.example\n" * ("gateway:" not in text)
    if text.startswith("{"):
        before = ""
    try:
        settings = loads(f"{before}{text}", {"PLAIN": mark})
    except ConfigError as error:
        return str(error)
    store = open_store(settings.state.url)
    assert isinstance(store, BatchWriter)
    return "\n".join([dump(settings), repr(settings), str(store.error), store.backend.name])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.slow
def test_no_spelling_of_a_secret_is_repeated(place: str) -> None:
    for spelling in [*SPELLINGS, "${PLAIN}", "${PLAIN}#x", "x${PLAIN}"]:
        text = place.replace("@@", spelling.replace("@@", MARK))
        assert MARK not in said_about(text, MARK), text


@pytest.mark.slow
@given(
    # Before a ":" in a URL it would be the user, who is no secret.
    st.sampled_from([place for place in PLACES if "redis://@@" not in place]),
    st.lists(
        st.sampled_from([*"*&!|>%@`?-#,:[]{}'\"\\/$ \n", ": ", " #", "${", "<<", "redis://", "http://", "é", "\t"]),
        max_size=8,
    ),
)
@example("gateway: u:@@@gw.example", ["redis://", " #"])
@example("webhooks: [{path: /a, secret: {header: X-S, value: @@}}]", [":", "[", "]"])
@settings(max_examples=400, deadline=None)
def test_no_mixture_of_a_secret_and_the_signs_of_yaml_and_urls_is_repeated(place: str, pieces: list[str]) -> None:
    assert MARK not in said_about(place.replace("@@", MARK + "".join(pieces)), MARK)


#: Imports the program once. For each line on its standard input, a file and a command's arguments, it forks a process
#: that runs the command, with what it says in that file; and prints how that one ended.
_COMMANDS = """
import json, os, sys
from statusproxy import __main__, cli, server
from statusproxy.doctor import command
for line in sys.stdin:
    file, *arguments = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    said = os.open(file, os.O_CREAT | os.O_WRONLY)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv[1:] = arguments
    sys.exit(__main__.main())
"""

Command = Callable[..., int]


@pytest.fixture(scope="module")
def command() -> Iterator[Command]:
    """Runs a command of the program as a process, with what it says in the file that is named first."""
    with subprocess.Popen(
        [sys.executable, "-c", _COMMANDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as commands:

        def run(*arguments: str) -> int:
            assert commands.stdin is not None
            assert commands.stdout is not None
            commands.stdin.write(f"{json.dumps(arguments)}\n")
            commands.stdin.flush()
            return int(commands.stdout.readline())

        yield run


@pytest.mark.parametrize(
    "text",
    [
        f"state: {{url: 'redis://:pa#{MARK}@127.0.0.1:1/0'}}",
        f"admin: {{token: *{MARK}}}",
        f"webhooks: [{{path: /a, secret: {{header: X-S, value: 'a,b', {MARK}}}}}]",
        f"tls: {{certificate: '{MARK}', key: '{MARK}'}}",
    ],
)
@pytest.mark.parametrize("arguments", [["check"], ["run"], ["doctor"], ["doctor", "--json"], ["sessions"]])
@pytest.mark.slow
def test_no_command_prints_it(text: str, arguments: list[str], command: Command, tmp_path: Path) -> None:
    file, said = tmp_path / "config.yaml", tmp_path / "said"
    file.write_text(f"gateway: http://127.0.0.1:1\n{text}\n")
    assert command(str(said), *arguments, "--config", str(file)) == 2
    assert str(file) in said.read_text()
    assert MARK not in said.read_text()
