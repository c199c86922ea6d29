"""What the documents promise holds: commands run, links lead somewhere, pages are fresh."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.app.cli import app
from bot.app.config.reference import configuration_page
from bot.app.config.rule_values import _ORDERS
from bot.app.exit_codes import ExitCode
from state.audit import AuditReader

ROOT = Path(__file__).parents[1]
TOP = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
QUOTES = "forward,strike,right,years,rate,bid,ask\n3240,3100,P,0.12,0.015,22.1,22.5\n"


def commands(page: str) -> list[str]:
    """Return the alvh commands in the shell blocks of a page, in order, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXTS[page], flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        if words and words[0] in ("alvh", ".venv/bin/alvh"):
            found.append(shlex.join(words[1:]))
    return found


def mentions() -> list[tuple[str, str]]:
    """Return the alvh commands named in the prose of every page, which may leave options out."""
    return [
        (page, command)
        for page, text in TEXTS.items()
        for command in re.findall(r"`alvh ([^`\n]+)`", text)
    ]


SHOWN = [(page, command) for page in TEXTS for command in commands(page)]


def resolve(words: list[str]):
    """Return the command that words name, and what is left of them."""
    command, context = typer.main.get_command(app), None
    name = "alvh"
    while hasattr(command, "commands"):
        context = command.context_class(command, info_name=name, parent=context)
        name, found, words = command.resolve_command(context, words)
        assert found is not None, f"no command {name}"
        command = found
    return name, command, words, context


@pytest.mark.parametrize(("page", "command"), SHOWN, ids=str)
def test_every_command_shown_parses(page, command):
    name, found, words, parent = resolve(shlex.split(command))
    found.make_context(name, words, parent=parent)


@pytest.mark.parametrize(("page", "command"), mentions(), ids=str)
def test_every_command_mentioned_exists_with_its_options(page, command):
    words = shlex.split(command.replace("...", ""))
    known = typer.main.get_command(app).commands
    if words[0].startswith("--"):
        return
    command = known[words[0]]
    if hasattr(command, "commands") and len(words) > 1 and not words[1].startswith("-"):
        for name in words[1].split("|"):
            assert name in command.commands, f"{page}: no such command"
        command = command.commands[words[1].split("|")[0]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= options, page


# --- and they run ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with one session of the shipped configuration, and ids of it."""
    folder = tmp_path_factory.mktemp("documents")
    for name in ("paper_config.yaml", "live_config.yaml", "limits.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "quotes.csv").write_text(QUOTES)
    (folder / "tests").symlink_to(ROOT / "tests")  # docs/cases.md decides on what lies there
    environment = {key: word for key, word in os.environ.items() if not key.startswith("ALVH_")}
    subprocess.run(
        [sys.executable, "-m", "bot.app", "run", "--until", "2020-02-03"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=120,
    )
    with AuditReader.open(folder / "var" / "simulated-DU0000001.sqlite") as reader:
        return folder, str(reader.fills().records()[0]["exec_id"])


@pytest.mark.parametrize("page", [page for page in TEXTS if commands(page)])
def test_every_command_shown_runs(ran, monkeypatch, page):
    folder, exec_id = ran
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    for command in commands(page):
        words = [exec_id if word == "EXEC_ID" else word for word in shlex.split(command)]
        if words[0] != "run":  # minutes; the other tests and the shipped run are about that
            result = CliRunner().invoke(app, words)
            assert result.exit_code == ExitCode.OK, f"alvh {command}\n{result.output}"


# --- links, figures, generated pages --------------------------------------------------------------


def slug(heading: str) -> str:
    """Return the anchor of a heading as hosts of repositories make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(line) for line in re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)}


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        assert "://" not in target, f"{target}: pages stand on their own"
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_the_readme_can_be_read_in_one_sitting():
    assert len(TEXTS["README.md"].splitlines()) < 200


def test_the_readme_links_every_page():
    linked = set(re.findall(r"\]\(([^)#\s]+)", TEXTS["README.md"]))
    assert set(TEXTS) - {"README.md"} <= linked


@pytest.mark.slow
def test_the_readme_shows_what_the_shipped_run_does():
    command = [sys.executable, "-m", "benchmarks.readme", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, "python -m benchmarks.readme --write"


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_exit_codes_are_all_explained(page):
    section = TEXTS[page].partition("xit codes\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", section, flags=re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == set(ExitCode)


def test_pictures_are_small_and_draw_something():
    pictures = sorted((ROOT / "docs" / "pictures").glob("*"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 200_000
        assert picture.read_text().startswith("<svg")


def test_the_configuration_page_is_fresh():
    page = configuration_page()
    assert TEXTS["docs/configuration.md"] == page, "python -m bot.app.config.reference writes it"


def test_the_configuration_page_names_every_order_between_values():
    chains = re.findall(r"`\w+`(?: <=? `\w+`)+", TEXTS["docs/configuration.md"])
    links = {link for chain in chains for link in re.findall(r"(?=(`\w+` <=? `\w+`))", chain)}
    wanted = {
        f"`{order.lower}` {'<=' if order.may_be_equal else '<'} `{order.upper}`"
        for orders in _ORDERS.values()
        for order in orders
    }
    assert links == wanted
