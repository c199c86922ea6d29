"""D3, from a signature to a trade that is not made: real runs, running and stopped."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from bot.approvals.overrides import OverrideRecord, sign_override
from bot.approvals.signatures import SigningKey
from bot.engine.overrides import submit_override
from state.governance import StoredOverride
from state.ledger import Ledger
from strategies.model.overrides import Override
from tests.bot.app.test_run import Bot
from tests.builders import instant

ALICE, MALLORY = SigningKey.generate(), SigningKey.generate()
FIRST, LAST = instant("2020-02-24 09:45"), instant("2020-02-24 10:45")
RECORD = OverrideRecord(
    action="skip_entries",
    reason="a settlement is due",
    signer="alice",
    account="DU0000001",
    serial=1,
    issued_at=FIRST,
    expires_at=FIRST + timedelta(hours=8),
)
KEYS = f"governance: {{keys: {{alice: {ALICE.public_text}}}}}\n"
CONDORS = "SELECT count(*) FROM condors"


@pytest.fixture
def bot(tmp_path):
    made = Bot(tmp_path / "bot", last="2020-02-24")
    file = made.folder / "config.yaml"
    file.write_text(file.read_text() + KEYS)
    return made


def during(bot, at, act):
    """Do something after one interval of a run."""
    bot.watch = lambda report: act() if report.at == at else None


def gates(bot):
    query = "SELECT at, name, value, passed FROM gates JOIN decisions USING (decision_id)"
    return bot.ask(f"{query} WHERE rule = 'D3' ORDER BY at, position")


def test_d3_without_an_override_the_run_enters(bot):
    bot.run(until=LAST)
    assert bot.ask(CONDORS) == [(1,)]
    assert gates(bot) == []


def test_d3_a_running_bot_takes_an_override_and_skips_the_entry(bot):
    signed = sign_override(RECORD, ALICE)
    during(bot, FIRST, lambda: submit_override(bot.paths.control_dir, signed))
    bot.run(until=LAST)
    assert bot.ask(CONDORS) == [(0,)]
    assert list(bot.paths.control_dir.iterdir()) == []
    ((at, action, signer, reason),) = bot.ask(
        "SELECT accepted_at, action, signer, reason FROM overrides"
    )
    assert (action, signer, reason) == ("skip_entries", "alice", "a settlement is due")
    assert at.startswith("2020-02-24T15:00")
    skipped = [row for row in gates(bot) if row[2] == "skipped an entry"]
    assert [row[0][:16] for row in skipped] == ["2020-02-24T15:00"]
    answer = bot.alvh("audit", "replay", "--format", "json")
    assert json.loads(answer.stdout)["differences"] == 0
    status = json.loads(bot.alvh("status", "--format", "json").stdout)["status"]
    assert status["overrides_in_force"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (sign_override(RECORD, MALLORY).as_json(), "not that of alice"),
        (replace(sign_override(RECORD, ALICE), signature="").as_json(), "nobody has signed"),
        (
            sign_override(replace(RECORD, account="U1234567"), ALICE).as_json(),
            "signed for account U1234567",
        ),
        (
            sign_override(
                replace(RECORD, issued_at=FIRST - timedelta(hours=9), expires_at=FIRST), ALICE
            ).as_json(),
            "expired at 2020-02-24",
        ),
        ("{}", "not an override"),
    ],
    ids=["forged", "unsigned", "another account", "expired", "nonsense"],
)
def test_d3_what_is_not_genuine_is_left_aside_and_said(bot, capsys, text, expected):
    def drop():
        bot.paths.control_dir.mkdir(parents=True, exist_ok=True)
        (bot.paths.control_dir / "x.override").write_text(text)

    during(bot, FIRST, drop)
    bot.run(until=LAST)
    assert bot.ask(CONDORS) == [(1,)]
    assert bot.ask("SELECT count(*) FROM overrides") == [(0,)]
    assert [path.name for path in bot.paths.control_dir.iterdir()] == ["x.refused"]
    stderr = capsys.readouterr().err
    assert "override refused: " in stderr
    assert expected in stderr


def test_d3_an_override_is_not_used_once_its_key_has_left_the_configuration(bot, capsys):
    bot.run(until=FIRST)
    file = bot.folder / "config.yaml"
    file.write_text(file.read_text().replace(KEYS, ""))
    with bot_ledger(bot) as ledger, ledger.transaction() as tx:
        tx.record_override(stored(ALICE, RECORD), FIRST)
    bot.run(until=LAST)
    assert bot.ask(CONDORS) == [(1,)]
    assert "override not used: " in capsys.readouterr().err


def bot_ledger(bot):
    return Ledger.open(
        bot.paths.database,
        mode="simulated",
        account="DU0000001",
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )


def stored(key, record) -> StoredOverride:
    return StoredOverride(
        override=Override(
            override_id=record.override_id,
            action=record.action,
            reason=record.reason,
            signer=record.signer,
            issued_at=record.issued_at,
            expires_at=record.expires_at,
        ),
        account=record.account,
        serial=record.serial,
        public_key=key.public_text,
        signature=key.sign(record.content),
    )


# --- what it came to ------------------------------------------------------------------------------


def submitted(bot, action: str, *, serial: int = 1, hours: float = 1.0) -> OverrideRecord:
    """Hand in an override for the next hours of a stopped bot."""
    ((last,),) = bot.ask("SELECT max(at) FROM decisions")
    begins = datetime.fromisoformat(last)
    record = replace(
        RECORD,
        action=action,
        serial=serial,
        issued_at=begins,
        expires_at=begins + timedelta(hours=hours),
    )
    with bot_ledger(bot) as ledger, ledger.transaction() as tx:
        tx.record_override(stored(ALICE, record), begins)
    return record


def test_d3_audit_reports_a_skipped_entry_against_the_rules_own(bot):
    bot.run(until=FIRST)
    record = submitted(bot, "skip_entries")
    bot.run(until=instant("2020-02-24 12:00"))
    answer = json.loads(bot.alvh("audit", "overrides", "--format", "json").stdout)
    (row,) = answer["rows"]
    assert row["override_id"] == record.override_id
    assert (row["decisions"], row["orders_made"], row["orders_withheld"]) == (3, 0, 1)
    assert answer["override_orders"] == 1
    assert answer["share"] == pytest.approx(1 / (answer["orders"] + 1))
    assert Decimal(row["effect_usd"]) == -Decimal(row["rules_own_usd"]) != 0
    text = bot.alvh("audit", "overrides").stdout
    assert f"made or withheld by override: 1 of {answer['orders']} orders" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_d3_a_condor_closed_by_override_is_its_trade_and_the_steward_s(bot):
    bot.run(until=instant("2020-02-24 10:30"))
    assert bot.ask(CONDORS) == [(1,)]
    submitted(bot, "close_condor:C0001", hours=3)
    bot.run(until=instant("2020-02-24 12:00"))
    (row,) = json.loads(bot.alvh("audit", "overrides", "-f", "json").stdout)["rows"]
    assert (row["orders_made"], row["orders_withheld"]) == (1, 0)
    assert row["effect_usd"] == row["made_usd"]
    assert bot.ask("SELECT rules FROM condor_closes LIMIT 1") == [("D3",)]
    steward = json.loads(bot.alvh("audit", "steward", "--rule", "D3", "-f", "json").stdout)["rows"]
    assert {each["by"] for each in steward} == {"override"}
    assert {"close", "override"} == {each["kind"] for each in steward}
    assert "closed C0001" in {each["what"] for each in steward}
    assert json.loads(bot.alvh("audit", "replay", "-f", "json").stdout)["differences"] == 0


def test_d3_an_order_that_the_rules_want_again_and_again_counts_once(bot):
    bot.run(until=instant("2020-02-24 10:15"))
    for serial, layer in enumerate(("L1", "L2", "L3"), start=1):
        submitted(bot, f"hold_layer:{layer}", serial=serial)
    bot.run(until=instant("2020-02-24 11:30"))
    rows = json.loads(bot.alvh("audit", "overrides", "-f", "json").stdout)["rows"]
    assert {row["decisions"] for row in rows} == {3}
    held = sum(row["orders_withheld"] for row in rows)
    each_time = [words for row in gates(bot) for words in row[2].split("; ") if "hedge" in words]
    assert held == len(set(each_time)) < len(each_time)


def test_d3_without_overrides_there_is_nothing_to_report(bot):
    bot.run(until=FIRST)
    answer = json.loads(bot.alvh("audit", "overrides", "-f", "json").stdout)
    assert (answer["rows"], answer["override_orders"]) == ([], 0)


# --- the command line -----------------------------------------------------------------------------


def sign(bot, *arguments, action="skip_entries", key=ALICE):
    pem, out = bot.folder / "key.pem", bot.folder / "override.json"
    pem.unlink(missing_ok=True)
    key.write(pem)
    common = ("--reason", "why", "--signer", "alice", "--key", str(pem), "--out", str(out))
    result = bot.alvh("override", "sign", action, *common, *arguments)
    return result, out


def test_d3_signed_and_submitted_to_a_stopped_bot_and_never_again(bot):
    """Fault E15: what was signed once is handed in twice."""
    bot.run(until=FIRST)
    result, out = sign(bot, "--until", "2020-02-24")
    assert result.exit_code == 0, result.stderr
    assert "from 2020-02-24 09:45 until 2020-02-25 00:00 New York" in result.stderr
    result = bot.alvh("override", "submit", str(out))
    assert result.exit_code == 0, result.stderr
    assert "is on record: skip_entries" in result.stdout
    result = bot.alvh("override", "submit", str(out))
    assert result.exit_code == 4
    assert "is spent: it was taken before" in result.stderr
    rows = json.loads(bot.alvh("override", "list", "--format", "json").stdout)
    assert [row["action"] for row in rows["rows"]] == ["skip_entries"]
    assert rows["waiting"] == []
    assert "skip_entries" in bot.alvh("override", "list").stdout
    bot.run(until=LAST)
    assert bot.ask(CONDORS) == [(0,)]


def test_d3_submitted_to_a_running_bot_it_waits_for_the_next_interval(bot):
    answers = []

    def submit():
        result, out = sign(bot, "--from", "2020-02-24T09:45", "--until", "2020-02-24")
        assert result.exit_code == 0, result.stderr
        answers.append(bot.alvh("override", "submit", str(out), "--format", "json"))
        answers.append(bot.alvh("override", "list"))

    during(bot, FIRST, submit)
    bot.run(until=LAST)
    submitted, listed = answers
    assert json.loads(submitted.stdout)["outcome"] == "submitted", submitted.stderr
    assert "waiting for the running bot" in listed.stdout
    assert bot.ask(CONDORS) == [(0,)]


UNBELIEVED = [
    ({}, MALLORY, "the signature is not that of alice"),
    ({"signer": "bob"}, ALICE, "'bob' has no key"),
    ({"expires_at": instant("2020-03-24 16:00")}, ALICE, "lasts longer than"),
]


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        *UNBELIEVED,
        (
            {"issued_at": instant("2020-02-20 10:00"), "expires_at": instant("2020-02-22 00:00")},
            ALICE,
            "expired at 2020-02-22",
        ),
    ],
)
def test_d3_what_will_not_be_believed_is_refused_at_once(bot, changes, key, expected):
    bot.run(until=FIRST)
    out = bot.folder / "override.json"
    out.write_text(sign_override(replace(RECORD, **changes), key).as_json())
    result = bot.alvh("override", "submit", str(out))
    assert result.exit_code == 4
    assert expected in result.stderr
    assert result.stdout == ""
    assert bot.ask("SELECT count(*) FROM overrides") == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "key", "expected"),
    [
        (("--until", "2020-02-24"), *UNBELIEVED[0][1:]),
        (("--until", "2020-02-24", "--signer", "bob"), *UNBELIEVED[1][1:]),
        (("--until", "2020-03-24"), *UNBELIEVED[2][1:]),
    ],
)
def test_d3_nothing_is_signed_that_a_bot_would_not_believe(bot, arguments, key, expected):
    bot.run(until=FIRST)
    result, out = sign(bot, *arguments, key=key)
    assert result.exit_code == 4
    assert expected in result.stderr
    assert not out.exists()


def keys(bot, *arguments):
    where = () if arguments[0] == "new" else ("--config", str(bot.folder / "config.yaml"))
    return CliRunner().invoke(app, ["keys", *arguments, *where])


def test_keys_are_made_once_and_listed(bot):
    assert json.loads(keys(bot, "list", "--format", "json").stdout)["rows"] == [
        {"name": "alice", "public_key": ALICE.public_text}
    ]
    out = bot.folder / "bob.pem"
    result = keys(bot, "new", "bob", "--out", str(out))
    assert result.exit_code == 0
    assert f"bob: {SigningKey.read(out).public_text}" in result.stdout
    again = keys(bot, "new", "bob", "--out", str(out))
    assert again.exit_code == 2
    assert "cannot be written" in again.stderr


def test_a_key_that_is_none_is_a_problem_of_the_configuration(bot):
    file = bot.folder / "config.yaml"
    file.write_text(file.read_text().replace(ALICE.public_text, "AAAA"))
    result = keys(bot, "list")
    assert result.exit_code == 2
    assert "governance.keys.alice: expected a public key" in result.stderr
