"""The JSON API, the page, the admin and the static files."""

import json
import time

import httpx
import pytest


def test_health_needs_no_login(site):
    """C6."""
    answer = httpx.get(f"{site.base}/api/v1/health/")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "channel_layer": "InMemoryChannelLayer",
        "pid": site.process.pid,
    }


def test_index_lists_endpoints(site):
    """V4."""
    answer = httpx.get(f"{site.base}/api/v1/")
    assert answer.status_code == 200
    assert answer.json()["threads"] == f"{site.base}/api/v1/threads/"


def test_login_gives_token_and_cookie(site, accounts):
    """C5, M1."""
    alice = accounts["alice"]
    assert isinstance(alice["user_id"], int)
    assert alice["username"] == "alice"
    assert alice["display_name"] == "Alice Archer"
    assert alice["token_type"] == "bearer"
    for way in (
        {"headers": {"Authorization": f"Bearer {alice['access_token']}"}},
        {"cookies": {"sessionid": alice["sessionid"]}},
    ):
        with httpx.Client(base_url=site.base, **way) as client:
            assert client.get("/api/v1/threads/").status_code == 200
            # No CSRF token is asked for.
            answer = client.post("/api/v1/threads/", json={"username": "bob"})
            assert answer.status_code in (200, 201)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "alice", "password": "wrong"}, 401),
        ({"username": "nobody", "password": "demo-pass"}, 401),
        ({"username": "", "password": ""}, 401),
        ({"username": "alice"}, 400),
        ({"username": ["alice"], "password": 1}, 400),
        ([], 400),
    ],
)
def test_failed_login(site, body, status):
    """C5."""
    answer = httpx.post(f"{site.base}/api/v1/auth/login/", json=body)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    assert "sessionid" not in answer.cookies


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "threads/"),
        ("POST", "threads/"),
        ("GET", "threads/1/messages/"),
        ("POST", "notifications/"),
        ("GET", "realtime/stats/"),
    ],
)
def test_login_is_needed(site, accounts, method, path):
    """C5."""
    cookie = f"sessionid={accounts['alice']['sessionid']}"
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer nonsense", "Cookie": cookie},
    ):
        answer = httpx.request(method, f"{site.base}/api/v1/{path}", headers=headers)
        assert answer.status_code == 401
        assert isinstance(answer.json()["detail"], str)


def test_thread_is_made_once_for_both(api, accounts):
    """M12."""
    ids = [accounts[name]["user_id"] for name in ("carol", "mod")]
    first = api("carol").post("threads/", {"username": "mod"})
    again = api("mod").post("threads/", {"username": "carol"})
    assert first.status_code == 201
    assert again.status_code == 200
    assert first.json() == again.json()
    assert isinstance(first.json()["id"], str)
    assert sorted(first.json()["participants"]) == sorted(ids)
    listed = api("carol").get("threads/").json()["results"]
    assert first.json()["id"] in [thread["id"] for thread in listed]
    assert first.json()["id"] not in [
        thread["id"] for thread in api("alice").get("threads/").json()["results"]
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "nobody"}, 404),
        ({"username": "alice"}, 400),
        ({}, 400),
        ({"username": 1}, 400),
    ],
)
def test_threads_that_cannot_be(api, body, status):
    """M12."""
    answer = api("alice").post("threads/", body)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_messages_are_listed_oldest_first(api, thread_id):
    """M12."""
    path = f"threads/{thread_id}/messages/"
    sent = [api(name).post(path, {"content": f"from {name}"}).json() for name in ("alice", "bob")]
    listed = api("alice").get(path).json()["results"]
    assert listed[-2:] == sent
    assert [message["sent_at"] for message in listed] == sorted(m["sent_at"] for m in listed)


@pytest.mark.parametrize("content", ["", "  ", None, 7, "a" * 100_001, "\ud800"])
def test_unusable_content_is_a_bad_request(api, thread_id, content):
    """M9, M12."""
    body = json.dumps({"content": content})
    answer = api("alice").post(f"threads/{thread_id}/messages/", content=body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


def test_body_that_is_no_json_is_a_bad_request(api, thread_id):
    """C5."""
    for body in (b"", b"{", b"[]", b"\xff\xfe\x00", b"[" * 100_000):
        answer = api("alice").client.post(f"threads/{thread_id}/messages/", content=body)
        assert answer.status_code == 400
        assert isinstance(answer.json()["detail"], str)


def test_unknown_and_foreign_threads(api, foreign_thread_id):
    """C5, M12."""
    for path, status in (("nothing", 404), (foreign_thread_id, 403)):
        for answer in (
            api("alice").get(f"threads/{path}/messages/"),
            api("alice").post(f"threads/{path}/messages/", {"content": "Hello"}),
        ):
            assert answer.status_code == status
            assert isinstance(answer.json()["detail"], str)


def test_only_staff_may_notify(api):
    """M11."""
    body = {"user_id": None, "title": "a", "message": "b", "priority": "low", "action_url": ""}
    assert api("alice").post("notifications/", body).status_code == 403
    for change, status in (
        ({"user_id": 999_999}, 404),
        ({"user_id": "1"}, 400),
        ({"user_id": True}, 400),
        ({"title": ""}, 400),
        ({"message": 1}, 400),
        ({"priority": "huge"}, 400),
        ({"priority": []}, 400),
        ({"action_url": 1}, 400),
    ):
        answer = api("mod").post("notifications/", {**body, **change})
        assert answer.status_code == status, change
        assert isinstance(answer.json()["detail"], str)


def test_stats_count_messages_and_time(api, thread_id):
    """M13."""
    before = api("alice").get("realtime/stats/").json()
    api("alice").post(f"threads/{thread_id}/messages/", {"content": "Count me"})
    time.sleep(0.05)
    after = api("alice").get("realtime/stats/").json()
    assert after["total_messages_sent"] == before["total_messages_sent"] + 1
    assert isinstance(after["active_connections"], int)
    assert 0.05 <= after["uptime"] - before["uptime"] < 10


def test_wrong_method(api):
    answer = api("alice").client.delete("threads/")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_foreign_host_is_a_bad_request(site):
    """C10."""
    answer = httpx.get(f"{site.base}/api/v1/health/", headers={"Host": "example.org"})
    assert answer.status_code == 400


def test_page(site):
    """V4."""
    answer = httpx.get(f"{site.base}/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    for part in ("app.js", "style.css", "icon.svg"):
        assert f"/static/messaging/{part}" in answer.text
        assert httpx.get(f"{site.base}/static/messaging/{part}").status_code == 200


def test_admin_sends_the_anonymous_to_its_login(site):
    """V4."""
    answer = httpx.get(f"{site.base}/admin/")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_staff_may_use_the_admin(site):
    """V4."""
    with httpx.Client(base_url=site.base, follow_redirects=True) as client:
        client.get("/admin/login/")
        form = {
            "username": "mod",
            "password": "demo-pass",
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
            "next": "/admin/",
        }
        assert "Notifications" in client.post("/admin/login/", data=form).text
        for model in ("thread", "message", "presence", "notification"):
            assert client.get(f"/admin/messaging/{model}/").status_code == 200


def test_static_files_honour_if_modified_since(site):
    """V4."""
    url = f"{site.base}/static/admin/css/base.css"
    first = httpx.get(url)
    assert first.status_code == 200
    assert first.headers["Content-Type"].startswith("text/css")
    assert len(first.content) == int(first.headers["Content-Length"])
    again = httpx.get(url, headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert again.status_code == 304
    assert again.content == b""


def test_cors_headers_for_a_front_end_on_port_3000(site):
    """V7."""
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    answer = httpx.options(f"{site.base}/api/v1/auth/login/", headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    other = httpx.get(f"{site.base}/api/v1/health/", headers={"Origin": "http://example.org"})
    assert "Access-Control-Allow-Origin" not in other.headers
