"""Commands reach a running bot whole, in order, and once."""

from datetime import UTC, datetime, timedelta

from bot.engine.control import Command, pending_commands, submit_command
from strategies.model.limits import HaltScope, SystemState

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def command(minutes, reason):
    return Command(
        state=SystemState.HALTED,
        scope=HaltScope.OPENS,
        reason=reason,
        by="operator",
        at=AT + timedelta(minutes=minutes),
    )


def test_commands_are_taken_in_the_order_they_were_given(tmp_path):
    submit_command(tmp_path, command(2, "second"))
    submit_command(tmp_path, command(1, "first"))
    assert [c.reason for _, c in pending_commands(tmp_path)] == ["first", "second"]


def test_no_folder_means_no_commands(tmp_path):
    assert pending_commands(tmp_path / "absent") == []


def test_a_file_that_is_no_command_is_set_aside_for_a_person(tmp_path):
    (tmp_path / "20260101-halted.json").write_text('{"state": "PANIC"}')
    assert pending_commands(tmp_path) == []
    assert [p.suffix for p in tmp_path.iterdir()] == [".refused"]
