"""The codec against the client itself: ib_insync, or ib_async in an environment of its own."""

import pytest

from tests.bot.gateway.protocol import client_library


def _name(check) -> str:
    return check.__name__.removeprefix("check_")


@pytest.mark.parametrize("check", client_library.CHECKS, ids=_name)
@pytest.mark.parametrize("version", client_library.VERSIONS)
def test_the_client_and_the_codec_understand_each_other(check, version):
    check(client_library.Peer(), version)
