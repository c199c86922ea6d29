import pytest

from bot.history.store import History


@pytest.fixture(scope="session")
def history():
    return History.bundled()
