"""What each library would make of IB's words, and the shim does not leave to it."""

import asyncio

import pytest

from bot.brokers.ib.library import RequestError
from tests.bot.brokers.wire_bench import WireBench

REQUEST = 4711


@pytest.fixture
async def bench(tmp_path):
    """A connected bench."""
    made = WireBench(tmp_path / "journal.jsonl")
    await made.open()
    await made.broker.connect()
    yield made
    await made.close()


@pytest.mark.parametrize("code", [105, 110, 162, 200, 201, 202, 321, 329, 434, 10268])
async def test_a_request_that_ib_refuses_is_over(bench, code):
    """Of some of these ib_insync makes remarks, of others ib_async, and waits for an answer."""
    wrapper = bench.session.ib.wrapper
    answer = wrapper.startReq(REQUEST)
    wrapper.error(REQUEST, code, "no", "")
    with pytest.raises(RequestError) as refusal:
        await asyncio.wait_for(answer, 1)
    assert (refusal.value.reqId, refusal.value.code) == (REQUEST, code)


@pytest.mark.parametrize("code", [165, 399, 404, 492, 2109, 10167])
async def test_a_remark_about_a_request_is_not_its_end(bench, code):
    wrapper = bench.session.ib.wrapper
    answer = wrapper.startReq(REQUEST)
    wrapper.error(REQUEST, code, "a remark", "")
    await bench.session.fence()
    assert not answer.done()
    wrapper._endReq(REQUEST, [])
