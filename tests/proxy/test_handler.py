"""One exchange: what comes in goes out."""

from tests.proxy.harness import Origin, Running, answer, get


async def test_a_request_reaches_the_gateway_and_its_answer_the_client(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"hello", "X-Made-By: gateway")
    got = await proxy.ask(get("/greeting?a=b+c&a="))
    assert (got.status, got.body, got.get("X-Made-By")) == (200, b"hello", b"gateway")
    assert origin.requests[0].target == b"/greeting?a=b+c&a="
