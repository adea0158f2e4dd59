"""What the next hop is sent: made once for a head that comes again, and the same as if it were made each time."""

from pathlib import Path

from tests.proxy.harness import OK, Origin, get, running


async def test_a_repeated_request_reaches_the_gateway_the_same_but_for_its_id(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url) as proxy:
        client = await proxy.connect()
        seen = []
        for number in range(1, 4):
            await client.send(get("/anything", "Accept: a/b"))
            await client.message()
            seen.append(await origin.received(number))
    ids = [message.get("X-Request-Id") for message in seen]
    assert len(set(ids)) == 3
    fields = [[header for header in message.headers if header[0] != b"X-Request-Id"] for message in seen]
    assert fields[0] == fields[1] == fields[2]
    assert {message.start for message in seen} == {b"GET /anything HTTP/1.1"}


async def test_a_repeated_webhook_carries_the_body_it_came_with(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url) as proxy:
        client = await proxy.connect()
        for number, body in enumerate((b'{"a":1}', b'{"b":2}', b'{"c":3}'), 1):
            await client.send(get("/v1/webhooks/receive", method="POST", body=body))
            await client.message()
            assert (await origin.received(number)).body == body


async def test_what_was_made_of_a_head_for_one_client_is_not_sent_for_another(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url, trusted_proxies=["127.0.0.1/32"]) as proxy:
        client = await proxy.connect()
        addresses = []
        for number, name in enumerate(("203.0.113.1", "203.0.113.2", "203.0.113.1"), 1):
            await client.send(get("/anything", f"X-Forwarded-For: {name}"))
            await client.message()
            addresses.append((await origin.received(number)).get("X-Forwarded-For"))
    assert addresses == [b"203.0.113.1, 127.0.0.1", b"203.0.113.2, 127.0.0.1", b"203.0.113.1, 127.0.0.1"]


async def test_what_was_made_of_a_head_is_not_sent_by_another_configuration(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url) as proxy:
        client = await proxy.connect()
        await client.send(get("/anything"))
        await client.message()
        assert (await origin.received(1)).get("Host") == b"proxy.example"
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text() + "\nhost: gateway\n")
        assert proxy.server.reload()
        await client.send(get("/anything"))
        await client.message()
        assert (await origin.received(2)).get("Host") == origin.url.removeprefix("http://").encode()
