"""Secrets stay out of everything that is written down: logs, records, reports, exceptions, task keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_SECRET_NAME = re.compile(
    r"(SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|_PAT$|NETRC)", re.IGNORECASE
)
# user:password@host, and the query parameters that signed addresses carry (AWS SigV4, Azure SAS, bearer tokens).
_USERINFO = re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)")
_SIGNED = re.compile(
    r"(?i)\b((?:X-Amz-(?:Signature|Credential|Security-Token)|sig|signature|access_token|token|password|api_key)=)"
    r"[^&\s'\"]+"
)
_BEARER = re.compile(r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_SHORTEST = 6  # shorter values ("1", "true") would blot out ordinary words
_MASK = "***"


def secrets_of(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Values of environment variables whose names say that they are secret, longest first."""
    environment = os.environ if environment is None else environment
    found = {v for k, v in environment.items() if _SECRET_NAME.search(k) and len(v) >= _SHORTEST}
    return tuple(sorted(found, key=len, reverse=True))


def redact(text: str, secrets: tuple[str, ...] | None = None) -> str:
    """The text without secret values of the environment, passwords in addresses and signatures of signed URLs."""
    for value in secrets_of() if secrets is None else secrets:
        text = text.replace(value, _MASK)
    text = _USERINFO.sub(_MASK, text)
    text = _SIGNED.sub(rf"\1{_MASK}", text)
    return _BEARER.sub(rf"\1 {_MASK}", text)
