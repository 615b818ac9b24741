"""Whom our pages let in, and what the others get to see."""

import re
from urllib.parse import quote_plus

import pytest

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web.admission import LONGEST, MOST_BYTES, Admission, Asked, password

PASSWORD = "correct-horse-battery"
WRONG = ["", "wrong", PASSWORD[:-1], PASSWORD + "x", PASSWORD.upper(), "päss", "\udc80"]


def admission(**given):
    """Return an admission whose clock stands still."""
    return Admission("mcp-perf-8089", **{"clock": lambda: 0.0, **given})


def set_cookie(answer):
    """Return the cookie that a browser would send from now on, and the conditions on it."""
    (line,) = (value for name, value in answer.headers if name == "Set-Cookie")
    cookie, _, conditions = line.partition("; ")
    return cookie, conditions


def opened(page):
    """Open the printed address; return the answer."""
    address = re.search(r"http\S+", page.told("http://127.0.0.1:8089/"))[0]
    return page.answer(Asked("GET", "/", query=address.partition("?")[2]))


def logged_in(page, given, client="192.0.2.1", **changed):
    """Send the form with a password; return the answer."""
    return page.answer(
        login(f"password={quote_plus(given, errors='surrogatepass')}", client, **changed)
    )


def login(form, client="192.0.2.1", **changed):
    """Return the form's request."""
    body = form.encode()
    usual = {"method": "POST", "path": "/login", "client": client, "length": str(len(body))}
    return Asked(**{**usual, "read": lambda count: body[:count], **changed})


@pytest.mark.parametrize("query", ["", "key=", "key=wrong", "key=%80", "&".join("abcdefghijklm")])
@pytest.mark.parametrize("cookies", ["", "mcp-perf-8089=", "mcp-perf-8089=ä; x=1", "=;;"])
def test_promise_26_who_did_not_open_the_printed_address_is_told_to(query, cookies):
    """Any path, method and cookie gets this one answer, and nothing is done."""
    page = admission()
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        for path in ("/", "/swarm", "/assets/x.js", "/login", "/logout", "/nowhere"):
            answer = page.answer(Asked(method, path, query=query, cookies=cookies))
            assert answer.status == "403 Forbidden"
            assert "Open the address printed in the terminal" in answer.text
            assert answer.headers == ()


def test_promise_26_the_printed_address_lets_a_browser_in():
    """It gets a cookie that no script reads and no other site sends; the key leaves the address."""
    page = admission()
    answer = opened(page)
    assert (answer.status, answer.text) == ("303 See Other", "")
    assert ("Location", "/") in answer.headers
    cookie, conditions = set_cookie(answer)
    assert conditions == "Path=/; HttpOnly; SameSite=Strict"
    assert page.key not in cookie
    for asked in (
        Asked("GET", "/", cookies=f"a=b; {cookie}"),
        Asked("POST", "/swarm", cookies=cookie),
    ):
        assert page.answer(asked) is None
    assert admission().answer(Asked("GET", "/", cookies=cookie)) is not None


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        *(("/", "/"), ("/live", "/live"), ("/stop", "/"), ("//evil.example/", "/")),
        *(("//evil.example/live", "/"), ("/live/../x", "/")),
    ],
)
def test_promise_26_the_key_leads_to_a_page_of_ours(path, leads):
    """It leads to the live page if that was asked for, or else to Locust's; never elsewhere."""
    page = admission()
    answer = page.answer(Asked("GET", path, f"key={page.key}"))
    assert dict(answer.headers)["Location"] == leads


def test_promise_26_a_key_is_of_one_start_and_beyond_guessing():
    """Two keys differ, and neither is short."""
    one, other = admission().key, admission().key
    assert one != other
    assert len(one) >= 32
    assert opened(admission()).status.startswith("303")


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_promise_26_only_an_address_that_is_opened_lets_in(method):
    """A form that is sent there does not let anybody in."""
    page = admission()
    assert page.answer(Asked(method, "/", query=f"key={page.key}")).status == "403 Forbidden"


def test_promise_26_a_page_below_a_path_or_with_https_says_so_in_its_cookie():
    """The browser is led to where the page is."""
    answer = opened(page := admission(base="/perf", https_only=True))
    assert ("Location", "/perf/") in answer.headers
    cookie, conditions = set_cookie(answer)
    assert conditions == "Path=/perf; HttpOnly; SameSite=Strict; Secure"
    assert page.answer(Asked("GET", "/logout", cookies=cookie)) is None
    assert page.answer(Asked("GET", "/perf/logout", cookies=cookie)).status == "200 OK"


@pytest.mark.parametrize("given", [{}, {"password": PASSWORD}])
def test_promise_26_who_logs_out_is_outside(given):
    """There is a button for it, and other browsers stay inside."""
    page = admission(**given)
    inside = [set_cookie(logged_in(page, PASSWORD) if given else opened(page))[0] for _ in "ab"]
    shown = page.answer(Asked("GET", "/logout", cookies=inside[0]))
    assert ("Log out" in shown.text, shown.headers) == (True, ())
    assert page.answer(Asked("GET", "/", cookies=inside[0])) is None
    left = page.answer(Asked("POST", "/logout", cookies=inside[0]))
    assert "You are logged out." in left.text
    assert set_cookie(left) == ("mcp-perf-8089=", "Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    assert page.answer(Asked("GET", "/", cookies=inside[0])).status == "403 Forbidden"
    assert page.answer(Asked("GET", "/", cookies=inside[1])) is None


def test_promise_26_a_hundred_browsers_are_inside_at_a_time():
    """Opening the address again and again takes no more memory."""
    page = admission()
    cookies = [set_cookie(opened(page))[0] for _ in range(101)]
    inside = [page.answer(Asked("GET", "/", cookies=cookie)) is None for cookie in cookies]
    assert inside == [False] + [True] * 100


@pytest.mark.parametrize("wrong", WRONG)
def test_promise_26_a_wrong_password_lets_nobody_in(wrong):
    """The form is shown again with the reason; no key is accepted in its place."""
    page = admission(password=PASSWORD)
    answer = logged_in(page, wrong)
    assert (answer.status, answer.headers) == ("403 Forbidden", ())
    assert "This is not the password." in answer.text
    assert (page.key, 'action="/login"' in answer.text) == ("", True)
    assert page.answer(Asked("GET", "/", query="key=")).status == "403 Forbidden"


@pytest.mark.parametrize(
    "right", [PASSWORD, "pässwörter-sind-länger", "+& =%00?#12", "ab\udc80" * 5]
)
def test_promise_26_the_password_lets_in(right):
    """It may have any characters, even bytes in the environment that are not text."""
    page = admission(password=right)
    body = "password=" + quote_plus(right.encode("utf-8", "surrogateescape"))
    answer = page.answer(login(body))
    assert answer.status == "303 See Other"
    assert page.answer(Asked("GET", "/", cookies=set_cookie(answer)[0])) is None
    assert "asks for the password" in page.told("http://x/")
    assert right not in page.told("http://x/")


@pytest.mark.parametrize("length", ["", "-1", "x", "4097", "99999999999999999999", "²"])
def test_promise_26_a_login_is_bounded_before_it_is_read(length):
    """A body without a length, or one longer than any password, is not read."""
    page = admission(password=PASSWORD)

    def read(_count):
        raise AssertionError

    answer = logged_in(page, PASSWORD, length=length, read=read)
    assert answer.status == "413 Content Too Large"
    assert page.answer(login("&".join("abcdefghijklmn"))).status == "403 Forbidden"


def test_promise_26_the_longest_password_fits():
    """It fits even if each of its characters takes twelve bytes in the form."""
    longest = "\N{GRINNING FACE}" * LONGEST
    assert len("password=" + quote_plus(longest)) <= MOST_BYTES
    assert logged_in(admission(password=longest), longest).status == "303 See Other"


def test_promise_26_guessing_is_slowed_down_for_who_guesses():
    """During the wait not even the right password is checked; others are not held up."""
    now = [0.0]
    page = admission(password=PASSWORD, clock=lambda: now[0])
    statuses = [logged_in(page, "wrong").status[:3] for _ in range(4)]
    assert statuses == ["403", "403", "403", "429"]
    waits = logged_in(page, PASSWORD)
    assert (waits.status, waits.headers) == ("429 Too Many Requests", (("Retry-After", "1"),))
    assert "Try again in 1 s." in waits.text
    assert logged_in(page, PASSWORD, client="192.0.2.2").status == "303 See Other"
    now[0] = 1.0
    assert logged_in(page, PASSWORD).status == "303 See Other"
    assert logged_in(page, "wrong").status == "403 Forbidden"


@pytest.mark.parametrize(
    ("given", "said"), [("", "is not set"), ("short", "has 5 characters"), ("x" * 257, "has 257")]
)
def test_a_password_has_a_length_that_is_good(given, said):
    """If it is too short or too long, the message says what to do."""
    with pytest.raises(Refusal, match=said) as refused:
        password(given)
    assert "secrets.token_urlsafe" in str(refused.value)
    assert password("x" * 12) == "x" * 12
