"""Secrets stay out of what is written."""

import re

from harness.masking import MASK, mask, redact


def test_secrets_are_masked_by_key_and_inside_values() -> None:
    settings = {
        "DB_PASSWORD": "p", "client_secret": "s", "ApiToken": "t", "OPENAI_API_KEY": "k", "RETRIES": "3",
        "URL": "http://user:pw@127.0.0.1:8123/db", "HEADER": "Authorization: Bearer abcdef123456",
    }  # fmt: skip
    masked = mask(settings)
    for key in ("DB_PASSWORD", "client_secret", "ApiToken", "OPENAI_API_KEY"):
        assert re.fullmatch(rf"{MASK} [0-9a-f]{{4}}", masked.pop(key))
    assert masked == {
        "RETRIES": "3",
        "URL": f"http://{MASK}@127.0.0.1:8123/db",
        "HEADER": f"Authorization: Bearer {MASK}",
    }


def test_a_changed_secret_shows_as_a_change() -> None:
    assert mask({"API_KEY": "old"}) != mask({"API_KEY": "new"})
    assert mask(mask({"API_KEY": "old"})) == mask({"API_KEY": "old"})


def test_placeholders_and_empty_values_are_no_secrets() -> None:
    assert mask({"PASSWORD": "{secret}", "TOKEN": ""}) == {"PASSWORD": "{secret}", "TOKEN": ""}


def test_secrets_are_taken_out_of_messages() -> None:
    message = 'GET /x?api_key=abc&n=1 failed: {"password": "hunter2", "n": 1}'
    assert redact(message) == f'GET /x?api_key={MASK}&n=1 failed: {{"password": {MASK}, "n": 1}}'
    assert redact("the key question: 3 retries") == "the key question: 3 retries"
