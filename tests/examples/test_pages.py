"""The pages in headless Chromium, two windows at a time, as visitors would use them.

Pictures are kept in build/screenshots/.
"""

import pytest
from browser import Window
from nginx import everything_to, make_certificate, nginx_running
from ports import free_port
from sites import IDRISSIMART, REDRED, SENSORS

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """Two browsers, shared by the tests of this module."""
    made = []
    try:
        for number in range(2):
            made.append(Window(tmp_path_factory.mktemp(f"browser{number}")))
        yield made
    finally:
        for window in made:
            window.close()


@pytest.fixture(scope="module")
def serve(shared, start_site):
    return lambda example: shared(example.name, lambda: start_site(example)).base


@pytest.fixture
def no_errors(windows):
    yield
    assert [window.errors() for window in windows] == [[], []]


def test_redred_chat(windows, serve, no_errors):
    """R5, R6, R15 (1): Alice writes, Bob reads, Alice sees the double tick."""
    alice, bob = windows
    for window, name in ((alice, "alice"), (bob, "bob")):
        window.log_in(serve(REDRED), name)
        window.click("[data-tab=chat]")
    alice.click("[data-username=bob]")
    alice.wait_for("#composer")
    alice.write("#composer input", "Are you coming tonight?")
    alice.wait_for(".message.mine.sent")
    bob.click("[data-username=alice]")
    bob.until_text("#messages", "Are you coming tonight?")
    alice.wait_for(".message.mine.read")
    alice.until_text("#their-state", "In this chat")
    alice.write("#composer input", "We start at eight.")
    bob.until_text("#messages", "We start at eight.")
    bob.one("#composer input").send_keys("I am, with ")
    alice.until_text("#typing", "Bob Baker is typing")
    bob.write("#composer input", "<b>cake</b>!")
    alice.until_text("#messages", "I am, with <b>cake</b>!")
    bob.wait_for(".message.mine.read")
    alice.until(lambda: alice.text("#typing") == "")
    alice.photograph("redred-chat")
    alice.photograph("redred-chat-phone", 500, 800)


def test_redred_notifications(windows, serve, no_errors):
    """R8 to R10, R12, R15 (2): a like makes a notification, which is read."""
    alice, bob = windows
    alice.log_in(serve(REDRED), "alice")
    alice.wait_for("#post-form textarea").send_keys("The pictures of the trip are there, @bob!")
    alice.click("#post-form button")
    alice.until_text("#posts", "The pictures")
    alice.click("#bell")
    if alice.one("#bell-count").is_displayed():
        alice.click("#read-all")
        alice.until(lambda: not alice.one("#bell-count").is_displayed())
    alice.click("#bell")
    bob.log_in(serve(REDRED), "bob")
    bob.until_text("#posts", "The pictures")
    bob.click(".post .like")
    alice.until(lambda: alice.text("#bell-count") == "1")
    bob.until_text(".post .like", "1")
    bob.write(".post > form input", "Beautiful!")
    alice.until(lambda: alice.text("#bell-count") == "2")
    alice.until_text("#toasts", "commented on your post")  # high priority: shown at once
    alice.click("#bell")
    alice.until_text("#notice-list", "Bob Baker likes your post")
    alice.photograph("redred-notifications")
    alice.click(".notice.unread[data-type=like]")
    alice.until(lambda: alice.text("#bell-count") == "1")
    alice.until_text("#posts", "Beautiful!")


def test_redred_live(windows, serve, no_errors):
    """R13 to R15 (3): a picture from window to window, comments, roles, removal."""
    alice, bob = windows
    alice.log_in(serve(REDRED), "alice")
    alice.click("[data-tab=live]")
    alice.click("#go-live button")
    alice.wait_for("#on-air")
    bob.log_in(serve(REDRED), "bob")
    bob.click("[data-tab=live]")
    bob.click("[data-streamer=alice] .watch")
    alice.until(lambda: alice.text("#viewers") == "1")
    # Frames that are decoded came over WebRTC: offer, answer and candidates did their work.
    bob.until(lambda: bob.run("document.getElementById('video').currentTime") > 0.3)
    assert bob.run("document.getElementById('video').videoWidth") > 0
    bob.write("#comment-form input", "Hello from the sofa")
    alice.until_text("#comments", "Hello from the sofa")
    alice.run("document.querySelector('#audience select').value = 'vip'")
    alice.run("document.querySelector('#audience select').dispatchEvent(new Event('change'))")
    bob.until_text("#toasts", "VIP")
    bob.write("#comment-form input", "Can you turn the camera?")
    alice.wait_for("#comments .highlighted")
    alice.write("#comment-form input", "Of course")
    bob.until_text("#comments", "Of course")
    bob.photograph("redred-live")
    alice.photograph("redred-live-streamer")
    alice.run("document.querySelector('#comments .delete').click()")
    bob.until(lambda: "Hello from the sofa" not in bob.text("#comments"))
    alice.run("document.querySelector('#comments .kick').click()")
    bob.until_text("#toasts", "You were removed")
    alice.until(lambda: alice.text("#viewers") == "0")
    alice.click("#leave")
    alice.wait_for("#lobby")
    bob.errors()  # the browser complains about the stream that he may not come back to


def test_idrissimart_chat(windows, serve, no_errors):
    """I4, I5: a client asks about an ad, its publisher answers; then the support."""
    alice, bob = windows
    bob.log_in(serve(IDRISSIMART), "bob")
    bob.click(".ad[data-id='1'] button")
    bob.until_text("#chat-state", "Connected")
    bob.write("#composer input", "Hello, is the bicycle still for sale?")
    alice.log_in(serve(IDRISSIMART), "alice")
    alice.click(".conversation")
    alice.until_text("#messages", "still for sale?")
    alice.one("#composer input").send_keys("It is. ")
    bob.until_text("#typing", "Alice Archer is typing")
    alice.write("#composer input", "Come and try it.")
    bob.until_text("#messages", "It is. Come and try it.")
    bob.photograph("idrissimart")
    bob.photograph("idrissimart-phone", 500, 800)
    alice.click("#support")
    alice.until_text("#chat-state", "Connected")
    alice.write("#composer input", "My ad is not shown in Rabat.")
    bob.log_in(serve(IDRISSIMART), "mod")
    bob.click(".conversation")
    bob.until_text("#messages", "not shown in Rabat")
    bob.write("#composer input", "We look into it.")
    alice.until_text("#messages", "We look into it.")


def test_idrissimart_over_tls(windows, serve, no_errors, tmp_path):
    """I2, I12: the same chat through nginx, which ends TLS: the page uses wss."""
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    tls = f"ssl; ssl_certificate {certificate}; ssl_certificate_key {key}"
    asgi = int(serve(IDRISSIMART).rpartition(":")[2])
    with nginx_running(tmp_path, everything_to([asgi], port, tls), port):
        alice, bob = windows
        for window, name in ((bob, "bob"), (alice, "alice")):
            window.log_in(f"https://localhost:{port}", name)
        bob.click(".ad[data-id='2'] button")
        bob.until_text("#chat-state", "Connected")
        bob.write("#composer input", "Does it come with a lock?")
        rows = "[...document.querySelectorAll('.conversation')]"
        desks = f"{rows}.filter(row => /desk/.test(row.innerText))"
        alice.until(lambda: alice.run(f"{desks}.length") == 1)
        alice.run(f"{desks}[0].click()")
        alice.until_text("#messages", "with a lock?")
        alice.write("#composer input", "With two.")
        bob.until_text("#messages", "With two.")
        bob.photograph("idrissimart-tls")
        for window in windows:  # their sockets must not outlive nginx
            window.open("about:blank")


def test_sensors_page(windows, serve, no_errors):
    """E4, E5, E12: what one window changes, the other shows; the client of raw frames."""
    one, other = windows
    url = serve(SENSORS)
    for window in windows:
        window.open(url)
        window.until_text("#link-state", "Live")
    for kind, model in (("temperature", "DHT22"), ("humidity", "SHT31")):
        one.wait_for("#add [name=tipo]").send_keys(kind)
        one.write("#add [name=modelo]", model)
        other.until_text("#sensors", model)
        one.until_text("#sensors", model)
    one.click("#simulate")
    other.until(lambda: len(other.all("#events .created")) >= 8)
    one.click("#simulate")
    other.until(lambda: other.text("[data-channel=sensors]") == "2")
    other.photograph("sensors")
    other.photograph("sensors-phone", 500, 800)
    other.open(f"{url}/websocket_client.html")
    other.until_text("#state", "connected")
    one.click("#sensors .delete")
    other.until_text("#frames", "sensor deleted")
    other.click("[data-send=ping]")
    other.until_text("#frames", "pong")
    other.photograph("sensors-frames")


def test_page_comes_back_after_a_restart(windows, start_site):
    """The page connects again by itself when the server comes back on its port."""
    (window, _), port = windows, None
    with start_site(SENSORS) as site:
        port = site.port
        window.open(site.base)
        window.until_text("#link-state", "Live")
    window.until_text("#link-state", "again")
    with start_site(SENSORS, port=port):
        window.until_text("#link-state", "Live")
    window.errors()  # the lost connections
