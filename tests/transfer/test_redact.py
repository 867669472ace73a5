"""Secrets stay out of what is written, in whatever way it is written."""

from __future__ import annotations

import html
import json
import logging
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

from sarcube.transfer.credentials import Secret
from sarcube.transfer.redact import RedactingFilter, public_address, read_env_file, redact, secrets_of

CANARY = "canary-7f3e9d1c"
WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda text: json.dumps({"a": text}),
    "json of json": lambda text: json.dumps(json.dumps(text)),
    "json as JavaScript writes it": lambda text: json.dumps(text).replace("/", "\\/").replace("&", "\\u0026"),
    "html": html.escape,
    "html of json": lambda text: html.escape(json.dumps(text)),
    "url": lambda text: urllib.parse.quote(text, safe=""),
    "url twice": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "form": urllib.parse.quote_plus,
    "repr": repr,
}
FORMS = [
    f"GET https://bucket.example/a.zip?X-Amz-Signature={CANARY}&x=1 failed",
    f"https://storage.example/a.zip?X-Goog-Algorithm=A&X-Goog-Credential={CANARY}",
    f"X-Goog-Credential={CANARY}",
    f"X-Amz-Security-Token: {CANARY}",
    f"https://blob.example/x.tif?se=2024&sig={CANARY}",
    f"https://example.org/x#access_token={CANARY}",
    f"https://someone:{CANARY}@example.org/a",
    f"https://{CANARY}@example.org/a",
    f"https://someone:with/{CANARY}@example.org/a",
    f"https://someone:with@{CANARY}@example.org/a",
    f"postgres://someone:{CANARY}@db/x",
    f"someone:{CANARY}@host.example.org",
    f"/home/me/http:/someone:{CANARY}@host.example.org/x",  # an address that was taken for a path
    f"/vsicurl/https://someone:{CANARY}@example.org/x.tif",
    f"/vsicurl?url=https%3A%2F%2Fexample.org%3Fsig%3D{CANARY}",
    f"Authorization: Bearer {CANARY}",
    f"Authorization: Basic {CANARY}",
    f"Basic {CANARY}==",
    f"Cookie: session={CANARY}",
    f"x-api-key: {CANARY}",
    f"password={CANARY}",
    f"password: {CANARY}",
    f"password = 'two words {CANARY}'",
    f'password="two words {CANARY}"',
    f'{{"access_token": "{CANARY}"}}',
    f"token: {CANARY}",
    f"apikey={CANARY}",
    f"key={CANARY}",
    f"AccountKey={CANARY}==;EndpointSuffix=x",
    f"DB_PW={CANARY}",
    f"MY_PASS={CANARY}",
    f"SECRET_VALUE={CANARY}",
]


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("text", FORMS)
def test_what_looks_secret_goes_however_it_is_written(text: str, way: str) -> None:
    shown = redact(WRITTEN[way](text), ())
    assert CANARY not in shown
    if way == "json":
        json.loads(shown)  # what was a document still is one


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("value", ['p&w<"ö/+ ~\\x', "plain-value", "100%/of=it?", "it's <b>"])
def test_known_values_go_however_they_are_written(value: str, way: str) -> None:
    written = WRITTEN[way](f"before {value} after")
    shown = redact(written, (value,))
    assert "***" in shown
    assert shown.replace("***", "").strip("\"'") == WRITTEN[way](f"before {CANARY} after").replace(CANARY, "").strip(
        "'\""
    )


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/a/b.zip: 503",
        "https://host:8443/x@2/y.tif read",
        "http://127.0.0.1:8080/a@b",
        "s3://bucket/key.tif",
        "tls://127.0.0.1:3456",
        "unknown key: dem.pth; did you mean dem.path?",
        "pass_environment: EARTHDATA_TOKEN not set here",
        "set EARTHDATA_USERNAME and EARTHDATA_PASSWORD (or EARTHDATA_TOKEN)",
        "check AWS_ACCESS_KEY_ID (or AWS_PROFILE), or set AWS_NO_SIGN_REQUEST=YES",
        '{"task": "rtc/t070_149815_iw3", "tainted": false, "passes": 3}',
        "basic geometry of things, a token gesture",
        "mail someone@example.org",
        "EPSG:4326 T070-149815-IW3 2024-05-13: done",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text, ()) == text


def test_values_of_variables_whose_names_say_so() -> None:
    environment = {
        "AWS_SECRET_ACCESS_KEY": "canary-1",
        "EARTHDATA_PASSWORD": "canary-2",
        "DB_PW": "canary-3",
        "GITHUB_PAT": "canary-4",
        "SMTP_PASS": "canary-5",
        "HOME": "/root/x",
        "PWD": "/root/x",
        "SSH_ASKPASS": "/usr/bin/askpass",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    }
    assert secrets_of(environment) == tuple(f"canary-{i}" for i in range(1, 6))
    # Short values would blot out words.
    assert secrets_of({"USE_TOKEN": "1", "SECRET": "true"}) == ()


def test_env_file_netrc_and_logins_in_use_are_known(own_places: Path) -> None:
    (own_places / ".env").write_text('CDSE_PASSWORD="canary-of-env"\nSARCUBE_CACHE=/some/where\n')
    (own_places / ".netrc").write_text("machine a.example login me password canary-of-netrc\n")
    Secret("canary-in-use")
    shown = redact("canary-of-env canary-of-netrc canary-in-use /some/where")
    assert shown == "*** *** *** /some/where"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://me:pw@host/x.tif?sig=1#part", "https://host/x.tif"),
        ("https://token@host/x.tif", "https://host/x.tif"),
        ("/vsicurl/https://me:pw@host/x.tif?sig=1", "/vsicurl/https://host/x.tif"),
        ("s3://bucket/a/b.tif", "s3://bucket/a/b.tif"),
        ("/data/of/someone/dem.tif", "dem.tif"),
        ("file:///data/of/someone/my%20dem.tif", "my dem.tif"),
        ("C:\\data\\dem.tif", "dem.tif"),
        ("/vsizip//data/of/someone/x.zip/dem.tif", "dem.tif"),
    ],
)
def test_addresses_in_public(address: str, public: str) -> None:
    assert public_address(address) == public


def test_env_files_as_people_write_them() -> None:
    text = "\ufeffFIRST=a\r\nexport Q='it''s' \nB=\"x # y\"   # note\nC=plain # note\nD=a#b\nE='un\"equal\"'\n"
    text += "F=\"'q'\"\n# G=1\nH="
    assert read_env_file(text) == {
        "FIRST": "a",
        "Q": "'it''s'",
        "B": "x # y",
        "C": "plain",
        "D": "a#b",
        "E": 'un"equal"',
        "F": "'q'",
        "H": "",
    }


def test_logs_and_their_traces(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(RedactingFilter())
    try:
        raise OSError(f"no answer from https://me:{CANARY}@host/x?sig={CANARY}")
    except OSError:
        logging.getLogger("anyone").warning("token=%s", CANARY, exc_info=True)
    assert "no answer from" in caplog.text
    assert CANARY not in caplog.text


def test_a_handler_filters_once_and_many_tokens_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in-process worker added a filter, and each token a pattern that was tried at every character."""
    import logging

    from sarcube.transfer import redact as module

    handler = logging.StreamHandler()
    for _ in range(3):
        module.keep_out_of(handler)
    assert len(handler.filters) == 1
    monkeypatch.setattr(module, "_used", {f"token-{n:06d}/of+one" for n in range(5000)})
    assert module.redact("asked with token-004321%2Fof%2Bone") == f"asked with {module.MASK}"
    before = module._pattern.cache_info().misses
    module.redact("nothing of the kind")
    assert module._pattern.cache_info().misses <= before + 1
