"""The bounded memory: made once while remembered, the least recently asked forgotten first."""

from bot.history.recent import Recent


def test_a_value_is_made_once_and_the_least_recently_asked_is_forgotten():
    made: list[str] = []

    def ask(key: str) -> str:
        return memory.get(key, lambda: made.append(key) or key.upper())

    memory = Recent[str, str](2)
    assert [ask(key) for key in ("a", "b", "a", "c", "a", "b")] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]
