"""Everything that runs while it is measured: the gateway's stand-in, the proxies and their settings."""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.processes import PATIENCE, Process, cores, free_port, program
from tests.upgrade.version import Version

HERE = Path(__file__).parent
PEERS = HERE / "peers"
INSTALLED = HERE / ".peers"

#: The one session for which a correction is in force.
SESSION = "session-00003"

SIZES = (10, 1_000, 10_000)

GIBIBYTE = 1024**3

#: Seconds in which a process that another program runs, instruction by instruction, must take connections.
_SLOW = 120.0

#: The preset's list route, written out.
_LIST: dict[str, Any] = {
    "list": ["channels", "data.channels", "data", ""],
    "id": ["id", "name", "channel_id", "session_id", "session"],
    "set": {"status": "disconnected", "connection": "disconnected", "state": "disconnected", "connected": False},
    "keep": ["disconnected", "qr_required", "qr", "qrcode", "initializing", "starting", "connecting", "pairing"],
    "connected": ["connected", "open"],
}

#: Where Debian keeps what nginx's Lua needs.
_MODULES = Path("/usr/lib/nginx/modules")
_LUA_PATH = "/usr/share/lua/5.1/?.lua"
_LUA_CPATHS = ("/usr/lib/x86_64-linux-gnu/lua/5.1/?.so", "/usr/lib/aarch64-linux-gnu/lua/5.1/?.so")


@dataclass
class Proxy:
    """One proxy under measurement."""

    name: str
    process: Process
    port: int
    corrects: bool = True
    """Whether it corrects lists; otherwise it only passes on."""


class Fleet:
    """The processes by name. `missing` says what could not be had, and why."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proxies: dict[str, Proxy] = {}
        self.missing: dict[str, str] = {}
        self.upstream_port = self.echo_port = 0
        self.differs = False
        """Whether the stand-in can give an answer that differs each time (it takes nginx's Lua)."""

    def has(self, *names: str) -> list[Proxy]:
        """Those of `names` that run."""
        return [self.proxies[name] for name in names if name in self.proxies]


def channels(count: int) -> dict[str, Any]:
    """A list as the gateway gives it, all connected, about 180 bytes a channel."""
    return {
        "success": True,
        "channels": [
            {
                "id": f"session-{n:05d}",
                "name": f"session-{n:05d}",
                "status": "connected",
                "phone": None,
                "profile": {"name": "Made Up", "about": "x" * 56},
            }
            for n in range(count)
        ],
        "total": count,
    }


def settings(
    fleet: Fleet, port: int, state: str, *, share: bool = True, gateway_port: int | None = None
) -> dict[str, Any]:
    """statusproxy as shipped, but for the ports and a second list, the one that differs each time."""
    routes: list[dict[str, Any]] = [
        {**_LIST, "path": "/api/channels", "share": share},
        {**_LIST, "path": "/api/differing", "share": share},
    ]
    return {
        "listen": f"127.0.0.1:{port}",
        "gateway": f"http://127.0.0.1:{gateway_port or fleet.upstream_port}",
        "preset": "gateway-wrapper",
        "channels": routes,
        "state": {"url": f"sqlite:///{fleet.folder / state}"},
        "admin": {"listen": f"127.0.0.1:{free_port()}"},
        "log": {"level": "warning"},
    }


@contextlib.contextmanager
def running(folder: Path, *, peers: bool = True) -> Iterator[Fleet]:
    """All of it, started in order and ended in reverse."""
    folder.chmod(0o755)  # nginx's workers run as nobody
    fleet = Fleet(folder)
    with contextlib.ExitStack() as stack:
        _start_upstream(fleet, stack)
        _start_echo(fleet, stack)
        for name, share in (("statusproxy", True), ("statusproxy, not sharing", False)):
            start_statusproxy(fleet, stack, name, share=share)
        if peers:
            for name, starting in _STARTS.items():
                try:
                    why = starting(fleet, stack, name)
                except (RuntimeError, OSError) as error:
                    why = f"it does not start: {error}"
                if why:
                    fleet.missing[name] = why
        _check(fleet)
        yield fleet


def start_statusproxy(
    fleet: Fleet,
    stack: contextlib.ExitStack,
    name: str,
    *,
    share: bool = True,
    gateway_port: int | None = None,
    version: Version | None = None,
    tell: bool = True,
    under: Sequence[str] = (),
) -> Proxy:
    """One more statusproxy, of this checkout or of another version; with `tell`, the one correction is in force.

    `under` is a program that runs it, with its options, and may be slow.
    """
    python, environment = sys.executable, {"PYTHONPATH": str(HERE.parent)}
    if version is not None:
        python, environment = version.python, dict(version.environment)
    port = free_port()
    slug = f"statusproxy-{port}"
    path = fleet.folder / f"{slug}.yaml"
    path.write_text(yaml.safe_dump(settings(fleet, port, f"{slug}.db", share=share, gateway_port=gateway_port)))
    # Without `-P` it would be the statusproxy of the present directory, whatever `version` says.
    command = [*under, python, "-P", "-m", "statusproxy", "run", "--config", str(path)]
    patience = _SLOW if under else PATIENCE
    proxy = _add(fleet, stack, name, command, port, environment=environment, patience=patience)
    if tell:
        disconnect(port)
    return proxy


def disconnect(port: int) -> None:
    """Tell the proxy by a webhook that `SESSION` is disconnected."""
    event = json.dumps({"event": "status-find", "session": SESSION, "status": "desconnectedMobile"}).encode()
    target = f"http://127.0.0.1:{port}/v1/webhooks/receive"
    post = urllib.request.Request(target, event, {"Content-Type": "application/json"})
    # Whatever the stand-in answers, the event has been heard.
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(post, timeout=10):
        pass


def _add(
    fleet: Fleet,
    stack: contextlib.ExitStack,
    name: str,
    command: list[str],
    port: int,
    *,
    corrects: bool = True,
    environment: dict[str, str] | None = None,
    works_in_child: bool = False,
    patience: float = PATIENCE,
) -> Proxy:
    log = fleet.folder / f"{name.replace(' ', '-')}.log"
    process = Process(
        command, cores()[0], log, port=port, environment=environment, works_in_child=works_in_child, patience=patience
    )
    stack.callback(process.stop)
    proxy = fleet.proxies[name] = Proxy(name, process, port, corrects)
    return proxy


# ---- the two ends ----


def _start_upstream(fleet: Fleet, stack: contextlib.ExitStack) -> None:
    nginx = program("nginx")
    if nginx is None or program("wrk") is None:
        raise SystemExit("benchmarks: nginx and wrk are needed; run benchmarks/install-peers.sh")
    www = fleet.folder / "www"
    www.mkdir()
    for size in SIZES:
        (www / f"channels-{size}").write_text(json.dumps(channels(size), separators=(",", ":")))
    (www / "small").write_text('{"success":true,"message":"a small answer, as most are"}')
    with (www / "large").open("wb") as large:
        large.truncate(GIBIBYTE)  # a hole: it takes no room
    fleet.upstream_port = free_port()
    fleet.differs = _lua_modules() is not None
    values = {
        "DIR": str(fleet.folder),
        "PORT": str(fleet.upstream_port),
        "MODULES": _lua_modules() or "",
        "LUA_HTTP": "",
        "LUA_SERVER": "location /v1/webhooks/receive { return 200; }",
    }
    if fleet.differs:
        values["LUA_HTTP"] = _filled("upstream-lua-http.conf", values)
        values["LUA_SERVER"] = _filled("upstream-lua-server.conf", values)
    config = _write(fleet, "upstream.conf", values)
    process = Process([nginx, "-c", str(config)], cores()[1], fleet.folder / "upstream.out", port=fleet.upstream_port)
    stack.callback(process.stop)


def _start_echo(fleet: Fleet, stack: contextlib.ExitStack) -> None:
    fleet.echo_port = free_port()
    command = [sys.executable, str(PEERS / "echo.py"), str(fleet.echo_port)]
    stack.callback(Process(command, cores()[1], fleet.folder / "echo.log", port=fleet.echo_port).stop)


def _check(fleet: Fleet) -> None:
    """All proxies that correct give the same observable answer, or nothing of it would be comparable."""
    paths = ["/api/channels", *(["/api/differing"] if fleet.differs else [])]
    for proxy in fleet.proxies.values():
        if not proxy.corrects:
            continue
        for path, size in itertools.product(paths, SIZES):
            wanted = channels(size)
            wanted["channels"][3]["status"] = "disconnected"
            with urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}{path}?n={size}", timeout=30) as answer:
                found = json.load(answer)
            found.pop("turn", None)
            if found != wanted:
                raise SystemExit(f"benchmarks: {proxy.name} does not answer {path} with {size} channels as it should")


# ---- the peers: each gives None, or why it is not there ----


def _start_nginx(fleet: Fleet, stack: contextlib.ExitStack, name: str) -> str | None:
    nginx, port = program("nginx"), free_port()
    assert nginx is not None
    values = {"PORT": str(port), "UPSTREAM": str(fleet.upstream_port), "ECHO": str(fleet.echo_port)}
    config = _write(fleet, "nginx.conf", {"DIR": str(fleet.folder), **values})
    _add(fleet, stack, name, [nginx, "-c", str(config)], port, corrects=False, works_in_child=True)
    return None


def _start_nginx_lua(fleet: Fleet, stack: contextlib.ExitStack, name: str) -> str | None:
    if _lua_modules() is None:
        return "libnginx-mod-http-lua is not installed"
    if _cjson() is None:
        return "lua-cjson is not installed"
    start_nginx_lua(fleet, stack, name, upstream=fleet.upstream_port)
    return None


def start_nginx_lua(fleet: Fleet, stack: contextlib.ExitStack, name: str, *, upstream: int) -> Proxy:
    """One more nginx that corrects by Lua; whoever asks for it knows that all is installed."""
    nginx, port, cjson = program("nginx"), free_port(), _cjson()
    assert nginx is not None
    assert cjson is not None
    folder = fleet.folder / f"nginx-lua-{port}"
    folder.mkdir()
    values = {
        "DIR": str(folder),
        "PORT": str(port),
        "UPSTREAM": str(upstream),
        "MODULES": _lua_modules() or "",
        "LUA_PATH": _LUA_PATH,
        "LUA_CPATH": cjson,
        "SESSION": SESSION,
    }
    config = folder / "nginx.conf"
    config.write_text(_filled("nginx-lua.conf", values))
    return _add(fleet, stack, name, [nginx, "-c", str(config)], port, works_in_child=True)


def _cjson() -> str | None:
    """The path pattern of Lua's JSON library; None where it is not installed."""
    return next((path for path in _LUA_CPATHS if Path(path.replace("?", "cjson")).exists()), None)


def _start_haproxy(fleet: Fleet, stack: contextlib.ExitStack, name: str) -> str | None:
    haproxy, port = program("haproxy"), free_port()
    if haproxy is None:
        return "haproxy is not installed"
    config = _write(fleet, "haproxy.cfg", {"PORT": str(port), "UPSTREAM": str(fleet.upstream_port)})
    _add(fleet, stack, name, [haproxy, "-db", "-f", str(config)], port, corrects=False)
    return None


def _start_script(fleet: Fleet, stack: contextlib.ExitStack, name: str) -> str | None:
    script = {"naive aiohttp": "naive.py", "tuned ClientSession": "tuned.py"}[name]
    port = free_port()
    command = [sys.executable, str(PEERS / script), str(port), str(fleet.upstream_port), SESSION]
    _add(fleet, stack, name, command, port)
    return None


def _start_mitmproxy(fleet: Fleet, stack: contextlib.ExitStack, name: str) -> str | None:
    mitmdump, port = INSTALLED / "mitmproxy/bin/mitmdump", free_port()
    if not mitmdump.exists():
        return "mitmproxy is not installed"
    command = [
        str(mitmdump), "--quiet", "--mode", f"reverse:http://127.0.0.1:{fleet.upstream_port}", "--listen-host",
        "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={fleet.folder}", "-s", str(PEERS / "mitm.py"),
    ]  # fmt: skip
    _add(fleet, stack, name, command, port, environment={"SESSION": SESSION})
    return None


def _start_middleware(fleet: Fleet, stack: contextlib.ExitStack, name: str) -> str | None:
    node, port = program("node"), free_port()
    if node is None or not (INSTALLED / "node_modules/http-proxy-middleware").exists():
        return "Node.js or http-proxy-middleware is not installed"
    script = str(PEERS / "middleware.mjs")
    _add(fleet, stack, name, [node, script, str(port), str(fleet.upstream_port), SESSION, str(INSTALLED)], port)
    return None


_STARTS = {
    "nginx": _start_nginx,
    "nginx + Lua": _start_nginx_lua,
    "haproxy": _start_haproxy,
    "naive aiohttp": _start_script,
    "tuned ClientSession": _start_script,
    "http-proxy-middleware": _start_middleware,
    "mitmproxy": _start_mitmproxy,
}


def _lua_modules() -> str | None:
    """The lines that load nginx's Lua; None where it is not installed."""
    names = ("ndk_http_module.so", "ngx_http_lua_module.so")
    if not all((_MODULES / name).exists() for name in names):
        return None
    return "\n".join(f"load_module {_MODULES / name};" for name in names)


def _filled(name: str, values: dict[str, str]) -> str:
    text = (PEERS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _write(fleet: Fleet, name: str, values: dict[str, str]) -> Path:
    path = fleet.folder / name
    path.write_text(_filled(name, values))
    return path


def versions() -> dict[str, str]:
    """What is compared, in which version."""
    found: dict[str, str] = {}
    for name, command in {
        "nginx": (program("nginx"), "-v"),
        "haproxy": (program("haproxy"), "-v"),
        "wrk": (program("wrk"), "-v"),
        "node": (program("node"), "--version"),
        "mitmproxy": (str(INSTALLED / "mitmproxy/bin/mitmdump"), "--version"),
    }.items():
        executable, argument = command
        if executable is None or shutil.which(executable) is None:
            continue
        done = subprocess.run([executable, argument], capture_output=True, text=True, timeout=30, check=False)
        found[name] = (done.stdout + done.stderr).strip().splitlines()[0]
    package = INSTALLED / "node_modules/http-proxy-middleware/package.json"
    if package.exists():
        found["http-proxy-middleware"] = json.loads(package.read_text())["version"]
    return found
