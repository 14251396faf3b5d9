"""What the tests of real connections share: certificates of an authority of our own."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

SCHEMES = ("ws", "wss", "tcp", "tls")


@dataclass(frozen=True)
class Certificates:
    """A certificate for this machine, and what trusts it: as contexts and as files."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    certificate: Path
    key: Path
    authority: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for 127.0.0.1 and localhost."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    files = Certificates(server, client, folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
    files.key.write_bytes(own.private_key_pem.bytes())
    files.certificate.write_bytes(b"".join(part.bytes() for part in own.cert_chain_pems))
    authority.cert_pem.write_to_path(str(files.authority))
    return files


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    """Runs the test over each kind of connection."""
    return str(request.param)
