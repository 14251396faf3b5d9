"""Certificates of an authority of our own, for connections of this machine with itself."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """A certificate for 127.0.0.1 and localhost, and what trusts it: as contexts and as files."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        """New ones, with the files in a folder."""
        authority = trustme.CA()
        own = authority.issue_cert("127.0.0.1", "localhost")
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.configure_cert(server)
        client = ssl.create_default_context()
        authority.configure_trust(client)
        made = cls(server, client, folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
        made.key.write_bytes(own.private_key_pem.bytes())
        made.certificate.write_bytes(b"".join(part.bytes() for part in own.cert_chain_pems))
        authority.cert_pem.write_to_path(str(made.authority))
        return made
