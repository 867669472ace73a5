"""Secrets stay out of what is written."""

from __future__ import annotations

from sarcube.production.redact import redact, secrets_of


def test_values_of_secret_variables_are_blotted_out() -> None:
    secrets = secrets_of(
        {"AWS_SECRET_ACCESS_KEY": "canary-abcdef", "EARTHDATA_PASSWORD": "canary-123456", "HOME": "/root"}
    )
    assert redact("failed with canary-abcdef and canary-123456 in /root", secrets) == "failed with *** and *** in /root"


def test_short_values_do_not_blot_out_words() -> None:
    assert secrets_of({"USE_TOKEN": "1", "SECRET": "true"}) == ()


def test_addresses_lose_what_is_secret_in_them() -> None:
    url = "https://user:pa55@host/a.zip?X-Amz-Signature=0123abcd&part=2&token=xyz"
    assert redact(url, ()) == "https://***@host/a.zip?X-Amz-Signature=***&part=2&token=***"
    assert redact("Authorization: Bearer eyJhbGciOi.J9", ()) == "Authorization: Bearer ***"
    assert redact("s3://bucket/key.tif", ()) == "s3://bucket/key.tif"
