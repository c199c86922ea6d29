"""Runs thetagang with its clock at an instant of the market: it counts days from its own today.

Usage: python on_market_day.py 2020-02-03T15:00:00+00:00 OPTIONS...
"""

import sys
from datetime import datetime

import time_machine
from thetagang import entry

if __name__ == "__main__":
    with time_machine.travel(datetime.fromisoformat(sys.argv[1])):
        entry.cli(sys.argv[2:], prog_name="thetagang")
