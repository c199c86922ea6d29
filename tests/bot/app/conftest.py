"""One short run from the command line, shared by every test that asks its ledger."""

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from tests.bot.app.shell import alvh, shipped


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One session of the shipped configuration."""
    folder = shipped(tmp_path_factory.mktemp("ran"))
    result = alvh("run", "--until", "2020-02-03", "--format", "json", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder, result


@pytest.fixture
def copy(ran, tmp_path) -> Path:
    """The folder of the run, to be changed."""
    return shutil.copytree(ran[0], tmp_path / "copy")


@pytest.fixture
def ask(ran, monkeypatch):
    """Ask the ledger of the run; in this process, because it is quicker."""
    monkeypatch.chdir(ran[0])
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))
