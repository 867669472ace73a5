"""Credentials: where they are found, in which order, and that they are shown nowhere."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path

import pytest

from sarcube.errors import CredentialError, SarcubeError
from sarcube.transfer.credentials import Login, Secret, find_login
from sarcube.transfer.download import download
from sarcube.transfer.http import request
from sarcube.transfer.remote import RemoteBytes
from sarcube.transfer.sessions import provider_session
from tests.http_server import Reply, Server

CANARY = "canary-7f3e9d1c"


def shown(login: Login) -> tuple[str, str]:
    assert login.username and login.password
    return login.username.reveal(), login.password.reveal()


def test_environment_before_env_file_before_netrc(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialError, match="no credentials"):
        find_login("earthdata")
    netrc = own_places / ".netrc"
    netrc.write_text("machine urs.earthdata.nasa.gov login n password np\n")
    netrc.chmod(0o600)
    assert shown(find_login("earthdata")) == ("n", "np") and find_login("earthdata").origin == ".netrc"
    (own_places / ".env").write_text("# mine\nexport EARTHDATA_LOGIN=\"e\"\nEARTHDATA_PASSWORD='ep=1'\n")
    assert shown(find_login("earthdata")) == ("e", "ep=1")
    other = own_places / "other.env"
    other.write_text("EARTHDATA_USERNAME=o\nEARTHDATA_PASSWORD=op\n")
    monkeypatch.setenv("SARCUBE_ENV_FILE", str(other))
    assert shown(find_login("earthdata")) == ("o", "op")
    monkeypatch.setenv("EARTHDATA_TOKEN", "tok")
    found = find_login("earthdata")
    assert found.token == Secret("tok") and found.password is None


def test_half_of_a_login_and_a_missing_env_file_are_said(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDSE_PASSWORD", CANARY)
    with pytest.raises(CredentialError, match="only half") as error:
        find_login("cdse")
    assert CANARY not in str(error.value)
    monkeypatch.setenv("SARCUBE_ENV_FILE", str(own_places / "none.env"))
    monkeypatch.delenv("CDSE_PASSWORD")
    with pytest.raises(CredentialError, match="does not exist"):
        find_login("cdse")


def test_line_ends_of_windows_are_no_part_of_a_login(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "abc\r\n")
    token = find_login("earthdata").token
    assert token is not None and token.reveal() == "abc"
    monkeypatch.delenv("EARTHDATA_TOKEN")
    (own_places / ".env").write_bytes(b"EARTHDATA_USERNAME=someone\r\nEARTHDATA_PASSWORD='pass # word'\r\n")
    monkeypatch.setenv("SARCUBE_ENV_FILE", str(own_places / ".env"))
    login = find_login("earthdata")
    assert login.username is not None and login.password is not None
    assert (login.username.reveal(), login.password.reveal()) == ("someone", "pass # word")


def test_a_broken_netrc_is_named_without_its_lines(own_places: Path) -> None:
    (own_places / ".netrc").write_text(f"machine a login b {CANARY} c\n")
    (own_places / ".netrc").chmod(0o600)
    with pytest.raises(CredentialError, match=r"\.netrc") as error:
        find_login("cdse")
    assert CANARY not in "".join(traceback.format_exception(error.value))


def test_an_env_file_and_a_netrc_with_a_byte_order_mark(own_places: Path) -> None:
    (own_places / ".env").write_text("\ufeffEARTHDATA_LOGIN=e # me\nEARTHDATA_PASSWORD=\"'ep #1'\" # mine\n")
    assert shown(find_login("earthdata")) == ("e", "'ep #1'")
    (own_places / ".env").unlink()
    (own_places / ".netrc").write_text("\ufeffmachine urs.earthdata.nasa.gov login n password np\n")
    assert shown(find_login("earthdata")) == ("n", "np")


def test_the_default_of_a_netrc_is_no_login(own_places: Path) -> None:
    (own_places / ".netrc").write_text("default login anonymous password me@example.org\n")
    with pytest.raises(CredentialError, match="no credentials"):
        find_login("earthdata")


def test_no_secret_is_shown_anywhere(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Log in, download, be refused, be torn: the canary appears in no log, message, repr or trace."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "sarcube")
    monkeypatch.setenv("CDSE_USERNAME", "someone")
    monkeypatch.setenv("CDSE_PASSWORD", CANARY)
    monkeypatch.setenv("SARCUBE_CDSE_TOKEN_URL", f"{server.url}/token")
    monkeypatch.setenv("SARCUBE_CDSE_DOWNLOAD_URL", server.url)
    server.routes["/token"] = lambda r: Reply(b'{"access_token": "%s", "expires_in": 600}' % CANARY.encode())
    texts = []

    def attempt(call: object) -> None:
        try:
            texts.append(repr(call()))  # type: ignore[operator]
        except SarcubeError as error:
            texts.extend(["".join(traceback.format_exception(error)), repr(error)])

    signed = f"{server.url}/file?X-Amz-Signature={CANARY}"
    for reply in (Reply(b"ok"), Reply(b"no", 401), Reply(b"no", 404), Reply(b"no", 503), Reply(b"x" * 100, send=5)):
        server.routes["/file"] = lambda r, reply=reply: reply
        attempt(lambda: download(signed, tmp_path / "a.zip"))
        attempt(lambda: RemoteBytes(signed).size)
        attempt(lambda: request("GET", signed).status_code)
        (tmp_path / "a.zip").unlink(missing_ok=True)
    server.routes["/token"] = lambda r: Reply(CANARY.encode(), 401)
    from sarcube.transfer import sessions

    sessions._tokens.clear()
    attempt(lambda: request("GET", signed, session=provider_session("cdse")))
    attempt(lambda: request("GET", f"http://someone:{CANARY}@127.0.0.1:9/x"))
    login = find_login("cdse")
    texts += [repr(login), str(login), f"{login.password}", repr(RemoteBytes(signed))]
    assert server.asked("/token") and any(CANARY in str(r.body) for r in server.asked("/token"))  # it was used
    everything = "\n".join(texts) + caplog.text
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("sarcube"))
    assert len(texts) > 15
    assert CANARY not in "\n".join(texts)
    assert CANARY not in ours
    assert CANARY not in everything


def test_a_remote_source_travels_without_connections_or_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDSE_PASSWORD", CANARY)
    source = RemoteBytes("https://example.org/a.zip")
    data = pickle.dumps(source)
    assert CANARY.encode() not in data and len(data) < 200
