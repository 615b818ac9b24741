"""What the application answers besides its pages: files, refusals, its lock."""

import re

import pytest
from fastapi.testclient import TestClient

from mcp_perf.dashboard.app import create_app
from mcp_perf.load.web.serving import locked


def test_what_is_not_there_is_said_to_people_and_to_programs(ask):
    """A browser gets a page with a way back, and a program the error body of all our APIs."""
    page = ask("/nothing")
    assert page.status_code == 404
    assert "<h1>Not found</h1>" in page.text
    assert ask("/nothing", "*/*").json()["error"]["code"] == "NOT_FOUND"
    hint = ask("/agents/sessions/nobody", "*/*").json()["error"]["hint"]
    assert "/agents/sessions" in hint


def test_pages_load_nothing_of_another_host(ask):
    """Neither the frame nor the API's description has an address; the policy forbids it."""
    for path in ("/docs", "/nothing"):
        answer = ask(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"(src|href)=.?(https?:)?//", answer.text)


def test_the_charts_script_comes_from_the_installed_package_and_stays_in_the_browser(ask):
    """Its address has the version, so its content never changes."""
    answer = ask("/static/plotly-1.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "plotly.js" in answer.text[:200]


@pytest.mark.parametrize("name", ["app.py", "report.html.j2", "..%2f..%2fpyproject.toml"])
def test_no_other_file_is_served(ask, name):
    """Only files that pages load are served."""
    assert ask("/static/report.css").status_code == 200
    assert ask(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/static/report.css", "/nothing"])
def test_who_has_no_key_gets_nothing(store, path):
    """Each path answers only with the advice to open the printed address."""
    app, told = locked(create_app(store), "127.0.0.1", 8091, login=False)
    client = TestClient(app, base_url="http://127.0.0.1:8091", follow_redirects=False)
    assert client.get(path, headers={"Accept": "text/html"}).status_code == 403
    key = told.partition("?key=")[2].strip()
    inside = client.get(path, headers={"Authorization": f"Bearer {key}"})
    assert inside.status_code in (200, 303, 404)
