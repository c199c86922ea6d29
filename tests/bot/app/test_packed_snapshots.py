"""What `alvh decide` reads: packed or not, and never what no interval can have seen."""

import gzip
import json

import pytest
from typer.testing import CliRunner

from bot.app import stored_snapshots
from bot.app.cli import app
from tests.golden.cases import CASES, ROOT


def decide(path):
    return CliRunner().invoke(app, ["decide", str(path), "--format", "json"])


def test_packed_or_not_a_snapshot_gives_the_same_bytes(tmp_path):
    packed, plain = CASES[0].snapshot, tmp_path / "plain.json"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    renamed = tmp_path / "packed.json"
    renamed.write_bytes(packed.read_bytes())
    assert decide(packed).exit_code == 0
    assert decide(plain).stdout_bytes == decide(packed).stdout_bytes == decide(renamed).stdout_bytes


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda data: data[: len(data) // 2], "not gzip"),
        (lambda data: data[:2] + b"nope", "not gzip"),
        (lambda data: data[:200] + bytes(100) + data[300:], "not gzip"),
        (lambda _: gzip.compress(b"{"), "1:2: not JSON"),
        (lambda _: gzip.compress(b"\xff"), "not JSON"),
    ],
)
def test_a_damaged_packed_file_is_bad_usage(tmp_path, damage, expected):
    path = tmp_path / "damaged.json.gz"
    path.write_bytes(damage(CASES[0].snapshot.read_bytes()))
    result = decide(path)
    assert result.exit_code == 2
    assert str(path) in result.stderr.replace("\n", "")
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_what_is_too_large_is_not_read_to_its_end(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(stored_snapshots, "FILE_BYTES_MAX", 1000)
    path = tmp_path / "large"
    path.write_bytes(pack(b" " * 1001))
    result = decide(path)
    assert result.exit_code == 2
    assert "larger than 1,000 bytes" in result.stderr


def test_a_name_in_gz_is_written_packed_and_always_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("paper_config.yaml", "limits.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for name in ("one.json.gz", "two.json.gz", "plain.json"):
        result = CliRunner().invoke(app, ["snapshot", "--out", name])
        assert result.exit_code == 0, result.stderr
    one, two, plain = (
        (tmp_path / name).read_bytes() for name in ("one.json.gz", "two.json.gz", "plain.json")
    )
    assert one == two
    assert gzip.decompress(one) == plain


def one_day_on(history):
    """The history with a bar of 2030 behind its last."""
    return {name: [*values, values[-1]] for name, values in history.items()} | {
        "session": [*history["session"], "2030-01-02"]
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"session": "2008-09-27"}, "snapshot.session: expected the day of 2008-10-01T"),
        ({"closes_at": "2008-10-01T13:00:00+00:00"}, "snapshot.market.at: expected an instant of"),
        ({"history": one_day_on}, "expected a day before 2008-10-01, found 2030-01-02"),
        (
            {"history": lambda old: old | {"session": old["session"][::-1]}},
            "snapshot.history.session[1]: ",
        ),
    ],
)
def test_what_no_interval_can_have_seen_is_bad_usage(tmp_path, change, expected):
    data = json.loads(gzip.decompress(CASES[0].snapshot.read_bytes()))
    for name, value in change.items():
        old = data["snapshot"][name]
        data["snapshot"][name] = value(old) if callable(value) else value
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(data))
    result = decide(path)
    assert result.exit_code == 2
    assert expected in result.stderr.replace("\n", " ")
