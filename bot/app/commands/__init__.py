"""What the commands do, one module a group; the command line itself is ``bot/app/cli.py``."""
