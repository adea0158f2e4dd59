"""A real nginx in front of the proxy, with whatever directives a site may have, or lack."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.peers.processes import PeerFailedError, program
from tests.ports import free_port
from tests.waiting import until

_CONFIG: Final = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {to}; {directives} }}
    }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, to: str, directives: str) -> AsyncIterator[int]:
    """nginx that passes requests on to the URL `to`, until the block ends; gives its port on this host."""
    port = free_port()
    file = _write(folder, port, to, directives)
    process = await asyncio.create_subprocess_exec(
        program("nginx"), "-e", str(folder / "error.log"), "-c", str(file), stderr=asyncio.subprocess.PIPE
    )
    try:

        async def answers() -> bool:
            if process.returncode is not None:
                assert process.stderr is not None
                raise PeerFailedError(f"nginx did not start: {(await process.stderr.read()).decode()}")
            return await _answers(port)

        await until(answers)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _write(folder: Path, port: int, to: str, directives: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "nginx.conf"
    file.write_text(_CONFIG.format(folder=folder, port=port, to=to, directives=directives))
    return file


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
