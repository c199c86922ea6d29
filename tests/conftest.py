"""What every test may ask for: Hypothesis profiles, a seeded generator, the reference data."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from hypothesis import settings

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

_LOG = structlog.get_config()
_CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Who sends the log elsewhere, as a command does, does so for one test only.

    Fixtures of a module run commands too, before the first of its tests and where it is captured.
    """
    structlog.configure(**_LOG)
    yield
    structlog.configure(**_LOG)
    logging.disable(logging.NOTSET)  # a simulated month keeps its process from logging


@pytest.fixture
def generator() -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(20200302)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data, or a skip that says where it was looked for."""
    named = os.environ.get("ALVH_SHARED_DATA")
    folder = Path(named) if named else _CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no recorded market data in {folder}; set ALVH_SHARED_DATA")
    return folder
