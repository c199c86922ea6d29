"""What the simulations covered, in the summary of the test run."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up the points of death that the tests say they covered."""
    covered = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "crash_points"
    ]
    if covered:
        terminalreporter.write_line(f"{sum(covered)} crash points in {len(covered)} tests")
