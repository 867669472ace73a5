"""Certificates by which client, scheduler and workers know each other: nobody else can join or listen.

Whoever can speak to a Dask scheduler or worker can have it run any code. A key that only the parties hold is the one
door for all of them: on one machine too, where loopback is open to every user.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Security

PREFIX = "DASK_DISTRIBUTED__COMM__TLS__"
_ROLES = ("SCHEDULER", "WORKER", "CLIENT")
_DAYS = 365
_RENEW_DAYS = 60


def make_certificate() -> dict[str, str]:
    """A fresh key with its own certificate, as the variables from which Dask reads them.

    An elliptic curve's key is short enough for one parameter of AWS (4 kB); the certificate is its own authority,
    as in Dask's temporary credentials.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "sarcube-cluster")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("sarcube-cluster")]), critical=False)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=10))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    variables = {f"{PREFIX}CA_FILE": public}
    for role in _ROLES:
        variables |= {f"{PREFIX}{role}__KEY": secret, f"{PREFIX}{role}__CERT": public}
    return variables


def temporary_security() -> Security:
    """Dask's Security with a fresh certificate for all roles, in memory only: for processes of this machine."""
    from distributed import Security

    variables = make_certificate()
    texts = {"tls_ca_file": variables[f"{PREFIX}CA_FILE"]}
    for role in _ROLES:
        texts[f"tls_{role.lower()}_key"] = variables[f"{PREFIX}{role}__KEY"]
        texts[f"tls_{role.lower()}_cert"] = variables[f"{PREFIX}{role}__CERT"]
    return Security(require_encryption=True, **texts)


def security_files(folder: Path) -> Security:
    """Dask's Security with a fresh certificate in files of a folder, for all roles."""
    import distributed

    variables = make_certificate()
    paths = {"tls_ca_file": folder / "certificate.pem"}
    paths["tls_ca_file"].write_text(variables[f"{PREFIX}CA_FILE"])
    key = folder / "key.pem"
    key.touch(mode=0o600)
    key.write_text(variables[f"{PREFIX}CLIENT__KEY"])
    for role in _ROLES:
        paths |= {f"tls_{role.lower()}_key": key, f"tls_{role.lower()}_cert": paths["tls_ca_file"]}
    return distributed.Security(require_encryption=True, **{name: str(path) for name, path in paths.items()})


def expires_soon(variables: Mapping[str, str], days: float = _RENEW_DAYS) -> bool:
    """Whether a certificate is missing or ends within so many days."""
    text = variables.get(f"{PREFIX}CA_FILE")
    if not text:
        return True
    from cryptography import x509

    left = x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc - dt.datetime.now(dt.UTC)
    return bool(left < dt.timedelta(days=days))


def security(variables: Mapping[str, str]) -> Security:
    """Dask's Security for the client's side of these variables."""
    import distributed

    return distributed.Security(
        require_encryption=True,
        tls_ca_file=variables[f"{PREFIX}CA_FILE"],
        tls_client_key=variables[f"{PREFIX}CLIENT__KEY"],
        tls_client_cert=variables[f"{PREFIX}CLIENT__CERT"],
    )
