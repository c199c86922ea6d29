"""The museum of sixteen named bugs: each is put back into the bot, and the simulation finds it."""

import pytest

from bot.app.simulation.campaign import be_quiet
from bot.app.simulation.catalogue import invariants
from tests.simulation.museum.bugs import BUGS
from tests.simulation.museum.hall import Bug, live

named = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.number}: {bug.name}")


@pytest.fixture(autouse=True)
def _quiet():
    be_quiet()


def test_sixteen_bugs_are_exhibited_each_with_the_invariant_that_finds_it():
    assert [bug.number for bug in BUGS] == list(range(1, 17))
    assert {bug.caught_by for bug in BUGS} <= {each.invariant_id for each in invariants()}
    assert len({bug.patch for bug in BUGS}) == len(BUGS)


@named
def test_the_bot_lives_through_what_provokes_the_bug(bug: Bug):
    assert live(bug.episode).violations == ()


@named
def test_the_bug_is_caught(bug: Bug):
    visit = live(bug.episode, bug.patch)
    assert visit.waits_for == frozenset(), "what provokes the bug has happened"
    assert bug.caught_by in visit.found
    assert visit.evidence(bug.caught_by)
