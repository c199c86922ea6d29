"""``python -m bot.app`` is ``alvh`` where the console script is not on the path."""

from bot.app.cli import main

main()
