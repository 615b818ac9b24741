"""Promise 26: the web page obeys only itself and users who are let in; GET changes nothing."""

import contextlib
import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import psutil
import pytest
from playwright.sync_api import expect

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web import guard
from tests.support import web_page as web
from tests.support.web_page import ROOT, chromium, opened

pytestmark = pytest.mark.process

PASSWORD = "correct-horse-battery"
LISTS_ITS_ROUTES = """
import json
import gevent
from locust import events

@events.init.add_listener
def _(web_ui, **_):
    @gevent.spawn
    def after_all_other_listeners():
        rules = [(rule.rule, sorted(rule.methods)) for rule in web_ui.app.url_map.iter_rules()]
        with open("routes.json", "w") as file:
            json.dump(rules, file)
"""
FOREIGN = {
    "another name (DNS rebinding)": {"Host": "evil.example:{port}"},
    "another name without a port": {"Host": "evil.example"},
    "a name that begins like ours": {"Host": "127.0.0.1.evil.example:{port}"},
    "another port": {"Host": "127.0.0.1:1"},
    "no name": {"Host": ""},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another port of this machine": {"Sec-Fetch-Site": "same-site"},
    "two claims": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "an origin elsewhere": {"Origin": "http://evil.example"},
    "an origin on another port": {"Origin": "http://127.0.0.1:1"},
    "an origin of another name": {"Origin": "http://localhost:{port}"},
    "an origin of another scheme": {"Origin": "https://127.0.0.1:{port}"},
    "an origin that hides": {"Origin": "null"},
}
"""Headers of requests that the page did not make; 127.0.0.1 is the page's name here."""
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


def ask(page, method, path, headers=(), body=None):
    """Send one request with exactly these headers; return its status, headers and text.

    It comes from the browser that was let in, unless the headers have another cookie.
    """
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    with contextlib.closing(connection):
        given = {"Host": f"127.0.0.1:{page.port}", "Cookie": page.cookie, **dict(headers)}
        connection.putrequest(method, path, skip_host=True)
        content = (body or "").encode()
        for name, value in {**given, "Content-Length": str(len(content))}.items():
            connection.putheader(name, value.format(port=page.port))
        connection.endheaders(content)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()


def routes(page):
    """Return every route of the page with its methods and with parameters filled in."""
    listed = page.folder / "routes.json"
    page.until(listed.exists)
    found = [(rule.partition("<")[0], methods) for rule, methods in json.loads(listed.read_text())]
    paths = {path for path, _ in found}
    assert {"/", "/swarm", "/stop", "/stats/reset", "/user", "/mcp-perf/report"} <= paths
    return [*found, ("/nowhere", ["GET"])]


@contextlib.contextmanager
def listing(folder, *arguments, **environ):
    """Start a page that lists its routes."""
    (folder / "lists_its_routes.py").write_text(LISTS_ITS_ROUTES)
    files = f"{ROOT / 'locustfiles'},{folder / 'lists_its_routes.py'}"
    with opened(folder, "-f", files, *arguments, **environ) as page:
        yield page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Start one page for all tests that do not change it."""
    with listing(tmp_path_factory.mktemp("web")) as page:
        yield page


def is_protected(headers):
    """Return whether an answer gives other sites no access, and has the page's protection."""
    allowing = [name for name in headers if name.lower().startswith("access-control-")]
    return not allowing and all(headers[name] == value for name, value in guard.PROTECTION)


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_promise_26_no_route_obeys_another_page(page, headers):
    """Every route refuses every method of a request that the page did not make, without details."""
    for path, _ in routes(page):
        for method in METHODS:
            status, given, text = ask(page, method, path, headers)
            assert (status, is_protected(given)) == (403, True), (method, path)
            assert method == "HEAD" or text.startswith("This "), (method, path)
            assert "evil" not in text


def test_promise_26_a_typed_address_opens_the_page_but_presses_nothing(page):
    """`Sec-Fetch-Site: none` means the user: allowed to read, and nothing else."""
    assert ask(page, "GET", "/", {"Sec-Fetch-Site": "none"})[0] == 200
    for path, _ in routes(page):
        assert ask(page, "POST", path, {"Sec-Fetch-Site": "none"})[0] == 403


@pytest.mark.parametrize("method", METHODS)
def test_promise_26_no_answer_lets_other_sites_read(page, method):
    """No route has an Access-Control header in any answer: found, missing or wrong."""
    own = {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    for path, _ in routes(page):
        if method != "POST":
            status, given, _ = ask(page, method, path, own)
            assert status != 403
            assert is_protected(given), path
    assert is_protected(ask(page, "POST", "/stats/reset", own)[1])


@pytest.mark.load
def test_promise_26_get_changes_nothing(tmp_path):
    """GET of any route neither starts, stops nor resets; routes that would do so answer 405."""
    with listing(tmp_path) as page:

        def get_all():
            return {path: ask(page, "GET", path)[0] for path, _ in routes(page)}

        def counted():
            return ask(page, "GET", "/stats/requests/csv")[2].splitlines()[-1].split(",")[2]

        get_all()
        assert (page.state(), page.runs()) == ("ready", [])
        assert page.start("endless")["success"] is True
        page.until(lambda: page.state() == "running" and counted() != "0")
        get_all()
        page.until(lambda: page.state() == "running")
        assert psutil.Process(page.process.pid).children()
        page.post("/stop")
        page.until(lambda: page.state() == "stopped")
        before, runs = counted(), page.runs()
        assert int(before) > 0
        answers = get_all()
        assert (page.state(), counted(), page.runs()) == ("stopped", before, runs)
        only_post = {path for path, methods in routes(page) if "GET" not in methods}
        assert {path for path, status in answers.items() if status == 405} == only_post
        assert only_post == {"/swarm", "/stop", "/stats/reset", "/user"}


def test_promise_26_a_client_without_a_browser_needs_no_headers(page):
    """Scripts send neither Origin nor Sec-Fetch-Site, and may do everything the page does."""
    status, _, text = ask(page, "POST", "/stop")
    assert (status, json.loads(text)["success"]) == (200, True)


def test_promise_26_the_page_is_for_this_machine_unless_told(page):
    """It listens only on loopback."""
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(page.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["0.0.0.0", "", "*", "192.0.2.1"])
def test_promise_26_a_public_page_without_a_login_is_refused(run_cli, tmp_path, host):
    """Locust ends with 104 before it listens or sends, and says what to do instead."""
    ended = run_cli(
        *("-f", ROOT / "locustfiles", "--web-port", web.free_port(), "--web-host", host),
        *("--scenario", "echo", "--autostart", "--autoquit", "0"),
        name="locust",
        cwd=tmp_path,
    )
    assert ended.code == 104
    for said in ("without a login", "ssh -L", "--web-login", "MCP_PERF_WEB_PASSWORD", "--headless"):
        assert said in ended.output
    assert "Traceback" not in ended.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "is not set"), ({"MCP_PERF_WEB_PASSWORD": "short"}, "has 5 characters")],
)
def test_promise_26_a_login_without_a_good_password_is_refused(
    run_cli, environment, tmp_path, given, said
):
    """A page that nobody or everybody could log in to does not start."""
    ended = run_cli(
        *("-f", ROOT / "locustfiles", "--web-port", web.free_port(), "--web-login"),
        name="locust",
        cwd=tmp_path,
        env={**environment, **given},
    )
    assert ended.code == 104
    assert f"MCP_PERF_WEB_PASSWORD {said}" in ended.output
    assert "Traceback" not in ended.output


def options(**changed):
    """Return Locust's options about its page."""
    usual = {"web_host": "127.0.0.1", "web_port": 8089, "web_login": False, "tls_cert": ""}
    usual |= {"tls_key": "", "web_base_path": "", "web_host_display_name": None}
    return SimpleNamespace(**{**usual, **changed})


def obeyed(served, host, origin=None, scheme="http"):
    """Return whether a POST with this Host and Origin is obeyed."""
    environ = {"REQUEST_METHOD": "POST", "HTTP_HOST": host, "wsgi.url_scheme": scheme}
    return guard.refusal(environ | ({"HTTP_ORIGIN": origin} if origin else {}), served) is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("localhost", True)),
        *(("LOCALHOST", True), ("0.0.0.0", False), ("::", False), ("*", False), ("", False)),
        *(("192.0.2.1", False), ("2001:db8::1", False), ("perf", False), ("localhost.x", False)),
    ],
)
def test_promise_26_only_loopback_needs_no_login(host, loopback):
    """Any address or name that is not certainly this machine's is public."""
    if loopback:
        guard.served_by(options(web_host=host))
    else:
        with pytest.raises(Refusal) as refused:
            guard.served_by(options(web_host=host))
        assert refused.value.exit_code == 104
        guard.served_by(options(web_host=host, web_login=True))


def test_promise_26_a_page_on_all_addresses_is_reached_by_address_not_by_name():
    """An address cannot be rebound; a name can be, unless the user gave it."""
    served = guard.served_by(options(web_host="0.0.0.0", web_login=True))
    for own in ("192.0.2.7:8089", "[2001:db8::1]:8089", "localhost:8089"):
        assert obeyed(served, own, f"http://{own}"), own
    for other in ("perf:8089", "192.0.2.7:80", "192.0.2.7", "evil.example:8089", ":8089"):
        assert not obeyed(served, other), other
    assert not obeyed(guard.served_by(options()), "192.0.2.7:8089")


@pytest.mark.parametrize(
    ("named", "host"),
    [
        ("https://perf.example.org", "perf.example.org"),
        ("https://Perf.Example.org:443/locust", "perf.example.org"),
        ("http://perf.example.org:9000", "perf.example.org:9000"),
        ("http://[2001:db8::1]:9000/", "[2001:db8::1]:9000"),
    ],
)
def test_promise_26_behind_a_proxy_the_user_names_the_address(named, host):
    """It is obeyed whether or not the proxy forwards Host, and no other address is."""
    served = guard.served_by(options(web_host_display_name=named))
    origin = f"{named.partition('://')[0]}://{host}"
    assert obeyed(served, host, origin)
    assert obeyed(served, "127.0.0.1:8089", origin)
    assert not obeyed(served, host, "https://evil.example")
    assert not obeyed(served, "evil.example", origin)
    assert served.https_only == named.startswith("https:")


@pytest.mark.parametrize(
    "named", ["perf.example.org", "ftp://x", "https://", "https://a@b", "http://x:y"]
)
def test_promise_26_a_public_address_that_is_none_is_refused(named):
    """The message says what to write."""
    with pytest.raises(Refusal, match=r"write https://perf\.example\.org") as refused:
        guard.served_by(options(web_host_display_name=named))
    assert refused.value.exit_code == 104


def test_promise_26_https_and_usual_ports_are_known():
    """With a certificate the page's origin is https; browsers leave the usual port out."""
    served = guard.served_by(options(web_port=443, tls_cert="c.pem", tls_key="k.pem"))
    assert served.https_only
    assert obeyed(served, "localhost", "https://localhost", "https")
    assert not obeyed(served, "localhost", "http://localhost", "https")
    assert obeyed(guard.served_by(options(web_port=80)), "localhost", "http://localhost")
    assert not obeyed(guard.served_by(options()), "localhost")


@pytest.mark.browser
def test_promise_26_the_page_itself_works_in_a_browser(tmp_path):
    """Start, Stop and Reset work, and the browser blocks nothing on the page."""
    with opened(tmp_path) as page, chromium() as browser:
        window = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints = []
        window.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        window.goto(page.address)
        assert window.url == f"{page.url}/"
        window.get_by_text("Custom parameters").click()
        window.get_by_label("Scenario").select_option("endless")
        with page.expecting_a_run():
            window.get_by_role("button", name="Start").click()
            expect(window.get_by_role("row").filter(has_text="/echo").first).to_be_visible()
            window.get_by_role("tab", name="Charts").click()
            window.get_by_role("button", name="Stop").click()
        expect(window.get_by_role("button", name="New")).to_be_visible(timeout=20_000)
        with window.expect_response("**/stats/reset") as reset:
            window.get_by_role("button", name="Reset").click()
        assert (reset.value.status, reset.value.request.method) == (200, "POST")
        assert ask(page, "GET", "/stats/requests/csv")[2].splitlines()[-1].split(",")[2] == "0"
        window.goto(f"{page.url}/mcp-perf/report")
        expect(window.get_by_role("heading").first).to_be_visible()
        window.goto(f"{page.url}/stats/report")
        expect(window.get_by_text("Request Statistics")).to_be_visible()
        assert complaints == []


@contextlib.contextmanager
def attacker():
    """Serve an empty foreign page; yield its port."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


TRY = """async ([url, method, body, mode]) => {
    const headers = {"Content-Type": "application/x-www-form-urlencoded"};
    try {
        const reply = await fetch(url, {method, mode, headers, credentials: "include",
                                        body: method === "POST" ? body : undefined});
        return `${reply.type} ${reply.status} ${await reply.text()}`;
    } catch (error) { return "blocked"; }
}"""
FRAME = """async url => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    await new Promise(loaded => { frame.onload = loaded; });
}"""
FORM = "user_count=3&spawn_rate=3&scenario=endless"
PRESSES = ("/swarm", "/stop", "/stats/reset", "/user")


@pytest.mark.browser
@pytest.mark.parametrize("there", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("here", ["127.0.0.1", "localhost"])
def test_promise_26_a_page_on_another_port_reaches_nothing(page, there, here):
    """In a real browser, another origin on this machine can neither read, frame nor use it."""
    before, url = len(page.runs()), f"http://{here}:{page.port}"
    with attacker() as port, chromium() as browser:
        window = browser.new_page()
        assert window.goto(page.address.replace("127.0.0.1", here)).status == 200
        answers = []
        window.on("response", lambda reply: reply.url.startswith(url) and answers.append(reply))
        window.goto(f"http://{there}:{port}")
        for mode in ("cors", "no-cors"):
            for path in ("/", "/stats/requests", "/logs"):
                assert window.evaluate(TRY, [url + path, "GET", None, mode]) == "blocked"
            for path in PRESSES:
                assert window.evaluate(TRY, [url + path, "POST", FORM, mode]) == "blocked"
        window.evaluate(FRAME, url)
        assert "templateArgs" not in "".join(frame.content() for frame in window.frames)
        window.set_content(f"<form method=post action='{url}/swarm'><button>Win</button></form>")
        with window.expect_navigation():
            window.get_by_role("button").click()
        expect(window.get_by_text("made by another site")).to_be_visible()
        # The browser does not report what it blocks, so only frame and form are left.
        pages = [one.status for one in answers if one.request.resource_type == "document"]
        assert pages == [403, 403]
    assert page.state() in ("ready", "stopped")
    assert len(page.runs()) == before


@pytest.mark.browser
def test_promise_26_a_rebound_name_reaches_nothing(page):
    """A name that somebody points at this machine cannot open or use the page."""
    rebound = ("--no-proxy-server", "--host-resolver-rules=MAP evil.example 127.0.0.1")
    url, before = f"http://evil.example:{page.port}", len(page.runs())
    with chromium(*rebound) as browser:
        window = browser.new_page()
        assert window.goto(url).status == 403
        for path in PRESSES:
            told = window.evaluate(TRY, [url + path, "POST", FORM, "cors"])
            assert told.startswith("basic 403 This page is not served under this name"), path
    assert page.state() in ("ready", "stopped")
    assert len(page.runs()) == before


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Start one page with a login."""
    folder = tmp_path_factory.mktemp("login")
    with listing(folder, "--web-login", MCP_PERF_WEB_PASSWORD=PASSWORD) as page:
        yield page


@pytest.mark.parametrize("kind", ["page", "guarded"])
def test_promise_26_no_route_tells_or_does_anything_for_who_is_outside(request, kind):
    """Every route and method answers only with how to get in."""
    page = request.getfixturevalue(kind)
    before, said = page.runs(), {"page": "printed in the terminal", "guarded": "Password"}[kind]
    for path, _ in routes(page):
        for method in METHODS:
            body = "" if method == "HEAD" else FORM
            status, given, text = ask(page, method, path, {"Cookie": "mcp-perf=1"}, body)
            assert (status, is_protected(given)) == (403, True), (method, path)
            assert method == "HEAD" or said in text, (method, path)
            assert given["Cache-Control"] == "no-store"
    assert page.runs() == before  # another test may have made some on this page


def test_promise_26_a_key_lets_in_and_is_in_no_log(page):
    """Locust's page shows its log; our line is only in the terminal."""
    key = page.address.partition("key=")[2]
    assert ask(page, "GET", f"/?key={key}", {"Cookie": ""})[0] == 303
    assert key not in ask(page, "GET", "/logs")[2]
    assert "Starting web interface" not in page.log.read_text()


@pytest.mark.parametrize("field", ["html_file", "store", "baseline", "csv_prefix", "tags"])
def test_promise_26_no_option_of_locust_is_a_field(page, field):
    """The whole form is refused, with a message."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, text = ask(page, "POST", "/swarm", kind, f"{FORM}&{field}=over")
    assert status == 400
    assert f"no field '{field}'" in json.loads(text)["message"]
    assert page.state() in ("ready", "stopped")


def test_promise_26_a_request_is_not_longer_than_a_form(page):
    """A longer one is not read, even from a user who is let in."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask(page, "POST", "/swarm", kind, f"host={'x' * 70_000}")[0] == 413


@pytest.mark.browser
def test_promise_26_a_user_logs_in_and_runs_in_a_browser(guarded):
    """The password opens the page, the buttons work, and no script can read the session."""
    with chromium() as browser:
        window = browser.new_page()
        window.goto(guarded.url)
        for given in ("not the password", PASSWORD):
            window.locator("input[name=password]").fill(given)
            window.get_by_role("button", name="Log in").click()
            if given != PASSWORD:
                expect(window.get_by_text("This is not the password.")).to_be_visible()
        window.get_by_role("button", name="Start").click()
        guarded.until(lambda: [run for run in guarded.runs() if (run / "report.html").exists()])
        expect(window.get_by_role("button", name="New")).to_be_visible(timeout=20_000)
        (cookie,) = window.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert cookie["expires"] == -1
        window.goto(f"{guarded.url}/logout")
        window.get_by_role("button", name="Log out").click()
        expect(window.get_by_text("You are logged out.")).to_be_visible()
        assert window.goto(guarded.url).status == 403
