"""What is said through the recorder is passed on unchanged, written down masked, and replayable."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.gateway.protocol.message import Message
from bot.gateway.recording import Recorder
from bot.gateway.replaying import Performance, Replayer, exchanges
from bot.gateway.transcripts import (
    BadTranscript,
    Masker,
    Transcript,
    TranscriptWriter,
    pretty,
    record,
)
from tests.bot.gateway.running import Running, running_gateway, settle
from tests.bot.gateway.wire import Wire
from tests.ib_client import GREETS_UP_TO, IB, Index, LimitOrder, MarketOrder, Option

ACCOUNT = "DU7654321"
MASKED_ACCOUNT = "DU0000001"
PUT = ("SPX", "20200320", 3200, "P", "SMART")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway(account_id=ACCOUNT) as running:
        yield running


@pytest.fixture
async def recorder(running, tmp_path) -> AsyncIterator[Recorder]:
    recorder = Recorder(host="127.0.0.1", port=running.port, folder=tmp_path)
    yield recorder
    await recorder.stop()


async def connected(port: int, client_id: int = 3) -> IB:
    ib = IB()
    ib.client.MaxRequests = 0
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=4)
    return ib


async def trade_a_little(ib: IB, running: Running | None = None) -> dict[str, object]:
    """Qualify, look at an index, cancel one order, fill another; return what was seen."""
    (spx,) = await ib.qualifyContractsAsync(Index("SPX", "CBOE"))
    (put,) = await ib.qualifyContractsAsync(Option(*PUT, tradingClass="SPXW", currency="USD"))
    (ticker,) = await ib.reqTickersAsync(put)
    resting = ib.placeOrder(put, LimitOrder("BUY", 1, 1.0, tif="DAY", orderRef="rests"))
    await ib.reqCurrentTimeAsync()
    ib.cancelOrder(resting.order)
    await ib.reqCurrentTimeAsync()
    filled = ib.placeOrder(put, MarketOrder("BUY", 1, tif="DAY", orderRef="fills"))
    await ib.reqCurrentTimeAsync()
    if running is not None:
        running.clock.move_to(running.clock.now() + timedelta(minutes=1))
    await ib.reqCurrentTimeAsync()
    await ib.reqCurrentTimeAsync()
    return {
        "account": ib.managedAccounts(),
        "cash": [value.value for value in ib.accountValues() if value.tag == "TotalCashBalance"],
        "index": spx.conId,
        "option": (put.conId, put.localSymbol),
        "quote": (ticker.bid, ticker.ask),
        "rested": [entry.status for entry in resting.log],
        "filled": (filled.orderStatus.status, filled.filled()),
        "fills": [
            (fill.execution.execId, fill.execution.price, fill.commissionReport.commission)
            for fill in filled.fills
        ],
    }


async def record_a_session(recorder: Recorder, running: Running) -> tuple[Path, dict[str, object]]:
    port = await recorder.start()
    ib = await connected(port)
    seen = await trade_a_little(ib, running)
    ib.disconnect()
    await settle()
    await recorder.stop()
    (path,) = recorder.transcripts
    return path, seen


class TestRecorder:
    async def test_a_session_through_it_is_like_one_without_it(self, recorder, running, caplog):
        path, seen = await record_a_session(recorder, running)
        assert seen["account"] == [ACCOUNT]
        assert seen["rested"][-1] == "Cancelled"
        assert seen["filled"] == ("Filled", 1.0)
        transcript = Transcript.read(path)
        kinds = {entry.message.kind for entry in transcript.records if entry.message}
        assert {"startApi", "managedAccounts", "placeOrder", "openOrder", "execDetails"} <= kinds
        assert not [entry for entry in transcript.records if entry.problem]
        assert not [each for each in caplog.records if each.levelname == "ERROR"
                    and "Canceled" not in each.getMessage()]  # fmt: skip

    async def test_the_account_is_nowhere_in_the_file(self, recorder, running):
        path, _ = await record_a_session(recorder, running)
        text = path.read_text()
        assert "7654321" not in text
        assert MASKED_ACCOUNT in text

    async def test_each_connection_has_a_file_of_its_own(self, recorder, running):
        port = await recorder.start()
        first, second = await connected(port, 3), await connected(port, 4)
        for ib in (first, second):
            ib.disconnect()
        await settle()
        assert [path.name for path in recorder.transcripts] == [
            "session-001.jsonl",
            "session-002.jsonl",
        ]
        assert all(Transcript.read(path).version == GREETS_UP_TO for path in recorder.transcripts)

    async def test_a_gateway_that_closes_closes_the_client_too(self, recorder, running):
        ib = await connected(await recorder.start())
        gone = asyncio.Event()
        ib.disconnectedEvent += gone.set
        await running.gateway.stop()
        await asyncio.wait_for(gone.wait(), 5)

    async def test_no_gateway_closes_the_client(self, tmp_path):
        recorder = Recorder(host="127.0.0.1", port=1, folder=tmp_path)
        wire = await Wire.open(await recorder.start())
        assert await wire.is_closed()
        await wire.close()
        await recorder.stop()

    async def test_what_is_no_frame_is_passed_on_and_not_written_down(self, recorder, running):
        wire = await Wire.greeted(await recorder.start())
        wire.ask("startApi", clientId=9)
        await wire.until("nextValidId")
        wire.send_bytes(b"\xff" * 8)
        while True:
            try:
                await wire.payload()
            except (ConnectionError, TimeoutError):
                break
        await wire.close()
        await recorder.stop()
        entries = Transcript.read(recorder.transcripts[0]).records
        assert [e.message.kind for e in entries if e.sender == "client"] == ["startApi"]


class TestReplayer:
    async def test_a_client_sees_in_a_replay_what_it_saw_when_it_was_recorded(
        self, recorder, running
    ):
        path, seen = await record_a_session(recorder, running)
        replayer = Replayer(Transcript.read(path))
        ib = await connected(await replayer.start(), client_id=77)
        again = await trade_a_little(ib)
        ib.disconnect()
        await replayer.stop()
        assert replayer.unrecorded == []
        assert again == seen | {"account": [MASKED_ACCOUNT]}

    async def test_other_ids_of_requests_and_orders_are_those_of_who_asks(self, recorder, running):
        path, seen = await record_a_session(recorder, running)
        replayer = Replayer(Transcript.read(path))
        ib = await connected(await replayer.start(), client_id=77)
        ib.client.updateReqId(5000)
        again = await trade_a_little(ib)
        assert {trade.order.orderId >= 5000 for trade in ib.trades()} == {True}
        assert again["fills"] == seen["fills"]
        ib.disconnect()
        await replayer.stop()

    async def test_an_older_client_is_served_in_its_own_version(self, recorder, running):
        path, seen = await record_a_session(recorder, running)
        replayer = Replayer(Transcript.read(path))
        ib = IB()
        ib.client.MaxClientVersion = 163
        await ib.connectAsync("127.0.0.1", await replayer.start(), clientId=1, timeout=4)
        assert ib.client.serverVersion() == 163
        assert (await trade_a_little(ib))["fills"] == seen["fills"]
        ib.disconnect()
        await replayer.stop()

    async def test_what_was_not_recorded_is_answered_with_an_error(self, recorder, running):
        path, _ = await record_a_session(recorder, running)
        replayer = Replayer(Transcript.read(path))
        wire = await Wire.started(await replayer.start())
        wire.ask("reqMatchingSymbols", reqId=8, pattern="spx")
        (error,) = [each for each in await wire.fence() if each.values.get("reqId") == 8]
        assert error.values["text"] == "reqMatchingSymbols is not in the transcript"
        assert replayer.unrecorded == ["reqMatchingSymbols"]
        await wire.close()
        await replayer.stop()

    async def test_what_is_no_request_is_answered_with_an_error(self):
        replayer = Replayer(spoken((0.0, "client", ["49", "1"])))
        wire = await Wire.greeted(await replayer.start())
        wire.send_fields(9999, 1)
        error = await wire.message()
        assert error.values["text"] == "unknown message id '9999'"
        wire.send_bytes(b"\xff" * 8)
        assert await wire.is_closed()
        await wire.close()
        await replayer.stop()

    async def test_replies_can_take_their_recorded_time(self):
        transcript = spoken(
            (0.0, "client", ["71", "2", "1", ""]),
            (0.2, "gateway", ["15", "1", "DU1234567"]),
            (0.4, "gateway", ["9", "1", "7"]),
        )
        replayer = Replayer(transcript, pace=0.5)
        wire = await Wire.greeted(await replayer.start())
        loop = asyncio.get_running_loop()
        asked = loop.time()
        wire.ask("startApi", clientId=1)
        await wire.until("nextValidId")
        assert 0.15 < loop.time() - asked < 2
        await wire.close()
        await replayer.stop()


def spoken(*frames: tuple[float, str, list[str]], version: int = 176) -> Transcript:
    return Transcript(version, tuple(record(*each, version) for each in frames))


class TestAttribution:
    def test_replies_belong_to_what_they_answer(self):
        fill = ["BOT", "1", "1.0", "77", "1", "0", "1", "1.0", "", "", "", "", "2"]
        spx = ["5", "SPX", "IND", "", "0.0", "", "", "CBOE", "USD", "SPX", "SPX"]
        placed = spoken(
            (0, "client", ["61", "1"]),
            (1, "client", ["49", "1"]),
            (2, "gateway", ["62", "1"]),  # to the first although another was asked since
            (3, "gateway", ["49", "1", "1700000000"]),
            (4, "client", ["4", "1", "13", ""]),
            (5, "client", ["8", "1", "1"]),
            (6, "gateway", ["3", "13", "Cancelled", "0", "1", "0", "77", "0", "0", "1", "", "0"]),
            (7, "gateway", ["11", "-1", "13", *spx, "a.01", "20260413 10:00:00 US/Eastern", "DU1",
                            "CBOE", *fill]),
            (8, "gateway", ["59", "1", "a.01", "1.0", "USD", "", "", ""]),
            (9, "gateway", ["4", "2", "13", "202", "Order Canceled", ""]),
            (10, "gateway", ["9", "1", "14"]),
            (11, "gateway", ["4", "2", "-1", "2104", "ok", ""]),
        )  # fmt: skip
        assert not [entry for entry in placed.records if entry.problem]
        found = {
            each.kind: [reply.message.kind for reply in each.replies]
            for each in exchanges(placed.records)
        }
        assert found == {
            "reqPositions": ["positionEnd"],
            "reqCurrentTime": ["currentTime"],
            "cancelOrder": ["orderStatus", "execDetails", "commissionReport", "error"],
            "reqIds": ["nextValidId", "error"],
        }

    def test_a_question_may_be_repeated_and_an_order_may_not(self):
        performance = Performance(
            spoken(
                (0, "client", ["49", "1"]),
                (1, "gateway", ["49", "1", "1700000000"]),
                (2, "client", ["4", "1", "13", ""]),
            ).records
        )
        for _ in range(3):
            assert performance.answer(Message("reqCurrentTime", {})) == [
                (1.0, Message("currentTime", {"time": 1700000000}))
            ]
        cancel = Message("cancelOrder", {"orderId": 5})
        assert performance.answer(cancel) == []
        assert performance.answer(cancel) is None


class TestMasking:
    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("U1234567", "U0000001"),
            ("DU1234567,DU7654321", "DU0000001,DU0000002"),
            ("1376.0/DU1234567/100", "1376.0/DU0000001/100"),
            ("Account U1234567 of jane.doe@example.com", "Account U0000001 of masked"),
            ("F1234567", "F0000001"),
            ("SPXW  261218P06600000", "SPXW  261218P06600000"),
            ("U     261218P00060000", "U     261218P00060000"),
            ("0000e0d5.6543abcd.01.01", "0000e0d5.6543abcd.01.01"),
            ("XU1234567", "XU1234567"),
        ],
    )
    def test_account_numbers_and_mail_addresses_are_replaced(self, text, masked):
        assert Masker().text(text) == masked

    def test_the_same_account_is_masked_the_same_way_everywhere(self):
        masker = Masker()
        masker.text("DU1 DU1111111")
        assert masker.text("U2222222 DU1111111 U2222222") == "U0000002 DU0000001 U0000002"

    @pytest.mark.parametrize(
        ("key", "value", "masked"),
        [
            ("NetLiquidation", "100000.00", "100000.00"),
            ("AccountReady", "true", "true"),
            ("Currency", "BASE", "BASE"),
            ("AccountType", "INDIVIDUAL", "INDIVIDUAL"),
            ("SegmentTitle-S", "US Securities", "US Securities"),
            ("AccountOrGroup", "U1234567", "U0000001"),
            ("Owner", "Jane Doe", "masked"),
            ("Alias", "JANE", "masked"),
            ("DayTradesRemaining", "-1", "-1"),
        ],
    )
    def test_an_account_value_that_is_a_text_is_masked(self, key, value, masked):
        masker = Masker()
        assert masker.fields("gateway", ["6", "2", key, value, "", "U1234567"])[3] == masked
        summary = ["63", "1", "9", "U1234567", key, value, ""]
        assert masker.fields("gateway", summary)[5] == masked

    def test_what_advisors_call_their_clients_is_masked(self):
        assert Masker().fields("gateway", ["16", "1", "1", "<Group>Does</Group>"])[3] == "masked"
        assert Masker().fields("client", ["19", "1", "1", "<Group/>", "7"])[3] == "masked"


class TestTranscripts:
    def test_it_is_read_as_it_was_written(self, tmp_path):
        path = tmp_path / "one.jsonl"
        written = spoken(
            (0.5, "client", ["49", "1"]),
            (0.75, "gateway", ["49", "1", "1700000000"]),
            (1.0, "gateway", ["999", "?"]),
        )
        with path.open("w") as out:
            writer = TranscriptWriter(out, 176)
            for entry in written.records:
                writer.add(entry)
        assert Transcript.read(path).records == written.records
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines[2] == {
            "at": 0.75,
            "from": "gateway",
            "fields": ["49", "1", "1700000000"],
            "kind": "currentTime",
            "values": {"time": 1700000000},
        }
        assert lines[3]["problem"] == "unknown message id '999'"

    @pytest.mark.parametrize(
        "text", ["", "{}", "[]", "nothing", '{"transcript": 9}', '{"transcript": 1}',
                 '{"transcript": 1, "server_version": 176}\n{"at": 1, "from": "me", "fields": []}']
    )  # fmt: skip
    def test_what_is_no_transcript_is_said_so(self, tmp_path, text):
        path = tmp_path / "none.jsonl"
        path.write_text(text)
        with pytest.raises(BadTranscript, match=r"none\.jsonl"):
            Transcript.read(path)

    def test_a_version_that_is_not_read_is_not_kept(self):
        entry = record(0.0, "gateway", ["Jane", "Doe"], 201)
        assert entry.fields == ()
        assert entry.problem == "version 201 is not read"

    def test_it_reads_well(self):
        lines = list(
            pretty(
                spoken(
                    (0.5, "client", ["81", "7", "s p x"]),
                    (0.75, "gateway", ["93", "239", "1", "0.0", "0.05"]),
                    (1.0, "gateway", ["999", "?"]),
                )
            )
        )
        assert lines == [
            "server version 176",
            "     0.500 -> reqMatchingSymbols reqId=7 pattern='s p x'",
            "     0.750 <- marketRule ruleId=239 increments=[{lowEdge=0.0 increment=0.05}]",
            "     1.000 <- (unknown message id '999') 999|?",
        ]
