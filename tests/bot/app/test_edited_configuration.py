"""A file edited under a running bot is noticed, said, recorded, and not followed (D1)."""

import json

import pytest

from bot.app.config.watch import ConfigWatch, edit_words, file_digest, rule_changes
from strategies.model.encoding import to_json
from strategies.model.rules import CondorRules, Rules
from tests.bot.app.test_run import Bot
from tests.builders import instant

LAST = instant("2020-02-24 11:00")
EDITED = "rules: {condor: {short_delta: 0.2}}\n"


@pytest.fixture
def bot(tmp_path):
    return Bot(tmp_path / "bot", last="2020-02-24")


def status(bot) -> dict:
    return json.loads(bot.alvh("status", "--format", "json").stdout)["status"]


def test_d1_a_file_edited_midway_is_said_recorded_and_not_followed(bot, capsys):
    """Fault E5: the configuration is edited while the bot runs."""
    file = bot.folder / "config.yaml"
    original = file.read_text()

    def edit(report):
        if report.at == instant("2020-02-24 10:15"):
            file.write_text(original + EDITED)

    bot.watch = edit
    bot.run(until=LAST)
    assert "config.yaml was edited while the bot runs" in capsys.readouterr().err
    assert len(bot.ask("SELECT DISTINCT rules_hash FROM decisions")) == 1
    ((at, name, before, after),) = bot.ask(
        "SELECT at, file, digest_in_force, digest_found FROM config_edits"
    )
    assert (at[:16], name) == ("2020-02-24T15:30", "config.yaml")  # the next interval
    assert after == file_digest(file) != before
    assert status(bot)["config_edited"] == "config.yaml"
    assert "config.yaml edited since the start: not in force" in bot.alvh("status").stdout
    assert "config.yaml" in bot.alvh("audit", "edits").stdout


def test_d1_the_next_start_takes_the_edit_over_and_says_so(bot, capsys):
    file = bot.folder / "config.yaml"
    bot.run(until=LAST)
    first = status(bot)["rules_hash"]
    file.write_text(file.read_text() + EDITED)
    capsys.readouterr()
    bot.run(until=instant("2020-02-24 11:30"))
    words = "other rules than at the last start: condor.short_delta 0.16 -> 0.2"
    assert words in capsys.readouterr().err
    assert status(bot)["rules_hash"] != first
    assert status(bot)["config_edited"] is None
    assert len(bot.ask("SELECT DISTINCT rules_hash FROM decisions")) == 2


def test_d1_an_edit_undone_is_told_too_and_the_status_is_clean_again(bot, capsys):
    file = bot.folder / "limits.yaml"
    original = file.read_text()
    texts = {
        instant("2020-02-24 09:45"): original + "\n",
        instant("2020-02-24 10:15"): original,
    }
    bot.watch = lambda report: file.write_text(texts.get(report.at, file.read_text()))
    bot.run(until=LAST)
    assert "limits.yaml is again as it was" in capsys.readouterr().err
    assert bot.ask("SELECT count(*) FROM config_edits") == [(2,)]
    assert status(bot)["config_edited"] is None


def test_d1_each_edit_is_told_once_and_a_file_that_is_gone_is_one(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("one")
    watch = ConfigWatch(in_force={file: file_digest(file)})
    assert watch.look() == []
    file.write_text("two")
    (edit,) = watch.look()
    assert edit.digest_found == file_digest(file)
    assert watch.look() == []
    file.unlink()
    (edit,) = watch.look()
    assert edit.digest_found is None
    assert "config.yaml is gone" in edit_words(edit)


def test_d1_changes_of_rules_are_named_by_their_keys():
    before = to_json(Rules())
    after = Rules(condor=CondorRules(short_delta=0.18, target_dte=40))
    assert rule_changes(before, Rules()) == []
    assert rule_changes(before, after) == [
        "condor.target_dte 45 -> 40",
        "condor.short_delta 0.16 -> 0.18",
    ]
