"""What the tests of real connections share."""

import pytest
from certificates import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for this machine."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=("ws", "wss", "tcp", "tls"))
def scheme(request: pytest.FixtureRequest) -> str:
    """Runs the test over each kind of connection."""
    return str(request.param)
