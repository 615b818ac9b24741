"""The redactor: no secret in any spelling gets through, and everything else does."""

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.results.journal.redact import REDACTED, Redactor

SECRET = 's3cr3t/pä "ss+word'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_found_however_it_is_written(written):
    """As it is, in a URL, in JSON, in base64 and in Python's repr: no part of it is left."""
    text = Redactor([SECRET]).text(f"before {written} after")
    assert written.rstrip("=") not in text
    assert text.startswith(f"before {REDACTED}")
    assert text.endswith("after")


KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEF/w==\n-----END KEY-----\n"
PAIR = base64.b64encode(b"ann:hunter-22").decode()


@pytest.mark.parametrize(
    ("known", "said", "left"),
    [
        ("Bearer canary-0a1b", "got canary-0a1b", f"got {REDACTED}"),
        ("Token  canary-0a1b", "got canary-0a1b", f"got {REDACTED}"),
        ("Bearer", "the bearer", "the bearer"),
        ("canary-0a1b \n", "<canary-0a1b>", f"<{REDACTED}>"),
        ("a canary  in two words", "a canary in two words!", f"{REDACTED}!"),
        (KEY, KEY.strip(), REDACTED),
        (KEY, json.dumps({"pem": KEY}), f'{{"pem": "{REDACTED}"}}'),
        (KEY, " ".join(KEY.split()), REDACTED),
        (KEY, "at hkiG9w0BAQEF/w==, line 3", f"at {REDACTED}, line 3"),
        (KEY.replace("\n", "\\n"), "at MIIEvQIBADANBgkq", f"at {REDACTED}"),
        (f"Basic {PAIR}", "no ann:hunter-22", f"no {REDACTED}"),
        (PAIR, "no hunter-22 for ann", f"no {REDACTED} for ann"),
        ("ann:hunter-22", f"Basic {PAIR}", f"Basic {REDACTED}=="),
        ("a<b>&c", "<p>a&lt;b&gt;&amp;c</p>", f"<p>{REDACTED}</p>"),
        ("https://h/a/b", r'{"at":"https:\/\/h\/a\/b"}', f'{{"at":"{REDACTED}"}}'),
    ],
)
def test_what_a_server_makes_of_a_secret_is_replaced_too(known, said, left):
    """Without its scheme or its spaces, line by line, as the pair of Basic, in HTML, in PHP."""
    assert Redactor([known]).text(said) == left


@pytest.mark.parametrize("before", ["", "a", "an", "ann", "ann:"])
def test_a_secret_within_something_in_base64_is_replaced(before):
    """For example as `user:password`, however long the name is."""
    packed = base64.b64encode(f"{before}hunter-22:and more".encode()).decode()
    text = Redactor(["hunter-22"]).text(packed)
    assert REDACTED in text
    assert len(text.replace(REDACTED, "")) <= len(packed) - 10


@pytest.mark.parametrize(
    "name",
    ["exaApiKey", "EXA_API_KEY", "access_key", "access_token", "jwt", "pass", "auth", "sessionId"],
)
def test_secret_values_in_a_query_are_found_by_their_names(name):
    """Whatever comes before the name of a secret; the rest of the address stays."""
    text = Redactor().text(f"GET http://h/mcp?a=1&{name}=0a1b, and no more")
    assert text == f"GET http://h/mcp?a=1&{name}={REDACTED}, and no more"


def test_short_names_in_a_query_need_a_long_value():
    """`?code=404` is a code, and `?code=0a1b2c3d4e` is one of OAuth."""
    said = "GET /?code=404&k=v, GET /?k=0a1b2c3d&code=0a1b2c3d4e"
    assert Redactor().text(said) == (f"GET /?code=404&k=v, GET /?k={REDACTED}&code={REDACTED}")


def test_ids_of_sessions_are_found_until_many_others_came():
    """Each call may have a new id, so the oldest are forgotten; short ones are not secret."""
    redactor = Redactor(["kept-for-good"])
    for secret in ("session-1", "session-1", "kept-for-good", "short"):
        redactor.add_passing(secret)
    assert redactor.text("session-1 is gone, short") == f"{REDACTED} is gone, short"
    redactor.add_passing("secret-by-now")
    redactor.add(["secret-by-now"])
    for number in range(10_000):
        redactor.add_passing(f"{number:08}")
    said = "session-1, kept-for-good, secret-by-now, 00000000"
    assert redactor.text(said) == f"session-1, {REDACTED}, {REDACTED}, {REDACTED}"


def test_a_secret_in_a_quoted_exception_is_found():
    """Python's repr escapes quotes and backslashes, as in the text of a KeyError."""
    secret = "it's\\a\"secret"
    assert "secret" not in Redactor([secret]).text(str(KeyError(secret)))


def test_the_longest_secret_is_replaced_first():
    """A secret that begins with another secret does not leave its end behind."""
    assert Redactor(["hunter", "hunter2-long"]).text("hunter2-long hunter") == (
        f"{REDACTED} {REDACTED}"
    )


def test_short_secrets_are_left_alone():
    """Three letters are in many ordinary words: replacing them would garble the report."""
    assert Redactor(["ok", "abc", ""]).text("look: abc") == "look: abc"


def test_special_characters_of_patterns_match_only_themselves():
    """A secret is not a pattern."""
    assert Redactor(["a.*b"]).text("axxb a.*b") == f"axxb {REDACTED}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer eyJhbGciOi.J9", "Authorization: [redacted]"),
        ('"authorization":"Basic dXNlcjpwYXNz","b":1', '"authorization":"[redacted]","b":1'),
        ('{\\"Authorization\\": \\"Basic dXNl\\"}', '{\\"Authorization\\": \\"[redacted]\\"}'),
        ("X-API-Key: abc123\nHost: x", "X-API-Key: [redacted]\nHost: x"),
        ("Set-Cookie: sid=1; Path=/", "Set-Cookie: [redacted]"),
        ("sent bearer abcdefgh1234 twice", "sent bearer [redacted] twice"),
        ("key sk-ant-api03-abcdef is wrong", "key [redacted] is wrong"),
        ("GET /x?token=abc&n=1&api_key=d#f", "GET /x?token=[redacted]&n=1&api_key=[redacted]#f"),
        ("grant=x&client_secret=abc", "grant=x&client_secret=[redacted]"),
        ('{"access_token":"abc","n":1}', '{"access_token":"[redacted]","n":1}'),
        ("http://user:pass@host/path", "http://[redacted]@host/path"),
    ],
)
def test_what_looks_like_a_secret_is_replaced_without_being_known(text, expected):
    """Authorization headers, API keys, secret query values and passwords in URLs."""
    assert Redactor().text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "nothing of the sort: 500 Internal Server Error",
        'WWW-Authenticate: Bearer realm="x", resource_metadata="https://host/meta"',
        'headers: {Authorization: "Bearer ${env.TOKEN}"}',
        "url: http://host/?token=${env.TOKEN}",
        '{"token": "${token}"}',
        "http://host:8080/path",
        "monkey=1 turkey=2",
        "tools/call get_token",
        "the task-force asked",
    ],
)
def test_what_only_resembles_a_secret_stays(text):
    """Lookups, challenges, ports and plain words are left as they are."""
    assert Redactor([SECRET]).text(text) == text


def test_a_text_without_secrets_is_the_same_object():
    """Usually nothing is copied."""
    text = "tools/call echo"
    assert Redactor([SECRET]).text(text) is text


@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives_in_any_text(secret, before, after):
    """Whatever the text around it, the secret appears nowhere outside the replacements."""
    text = Redactor([secret]).text(before + secret + after)
    assert not any(secret in part for part in text.split(REDACTED))


def test_every_text_of_a_value_is_redacted():
    """Lists and dicts are walked; numbers, None and keys stay: an arm may have such a name."""
    value = {"a": [SECRET, 1, None, (SECRET,)], "b": {SECRET: True}}
    expected = {"a": [REDACTED, 1, None, [REDACTED]], "b": {SECRET: True}}
    assert Redactor([SECRET]).everywhere(value) == expected


def test_secrets_that_come_later_are_found_from_then_on():
    """A token is known the moment it is received."""
    redactor = Redactor(["first-one"])
    assert redactor.text("later-one") == "later-one"
    redactor.add(["later-one"])
    assert redactor.text("first-one later-one") == f"{REDACTED} {REDACTED}"


def test_a_thousand_secrets_that_begin_alike_are_all_found():
    """Each is found as a whole, even if it begins with another one."""
    secrets = [f"token-{number}" for number in range(1000)]
    redactor = Redactor(secrets)
    assert redactor.text("/".join(secrets)) == "/".join([REDACTED] * 1000)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("said s3cr3t/p…", f"said {REDACTED}…"),
        ("said s3cr… and more", f"said {REDACTED}… and more"),
        ("said s3c…", "said s3c…"),
        ("said s3cr", "said s3cr"),
        ("said s3crxxx…", "said s3crxxx…"),
    ],
)
def test_the_beginning_of_a_secret_that_was_cut_off_is_found(text, left):
    """A message that was too long ends in a mark, perhaps with half of a secret before it."""
    assert Redactor([SECRET]).text(text) == left


@pytest.mark.parametrize(
    "piece",
    [
        "cookie:\\",
        "'token': ",
        "bearer ",
        "://a:",
        'key="',
        "x-api-key=",
        "?a",
        "&token",
        "canary-",
        "canaX…",
    ],
)
def test_a_hostile_text_takes_a_time_that_grows_with_its_length(piece):
    """It does not grow with the square of it: a server chooses what its errors say."""
    redactor = Redactor([f"canary-{number}" for number in range(500)])

    def spent_s(times):
        begun_s = time.process_time()
        redactor.text(piece * times)
        return time.process_time() - begun_s

    short_s = min(spent_s(2_000) for _ in range(3))
    assert min(spent_s(20_000) for _ in range(3)) < 40 * short_s + 0.01
