// The page: log in, the ads, and one open chat, about an ad or with the support.

import { LiveSocket } from "./socket.js";

const TYPING_SHOWN = 3000; // milliseconds; nobody says that he stopped
const TYPING_PAUSE = 2000; // between two frames of ours

const $ = (id) => document.getElementById(id);
let me;
let socket;
let opened; // path of the open chat
let typingUntil;
let lastTyping = 0;
const shown = new Map(); // its messages by id

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

async function call(method, path, body) {
  const response = await fetch(`/api/${path}`, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  if (response.status === 204) return null;
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { status: response.status });
  return answer;
}

// ---- logging in and out

async function start() {
  try {
    await showConversations();
  } catch (error) {
    if (error.status !== 401) throw error;
    $("login").hidden = false;
    return;
  }
  $("login").hidden = true;
  $("market").hidden = $("me").hidden = false;
  $("my-name").textContent = me.display_name;
  $("support").hidden = me.is_staff; // they answer, see the conversations
  await showAds();
}

$("login-form").onsubmit = async (event) => {
  event.preventDefault();
  $("login-error").textContent = "";
  try {
    await call("POST", "auth/login/", Object.fromEntries(new FormData(event.target)));
    await start();
  } catch (error) {
    $("login-error").textContent = error.message;
  }
};
for (const chip of document.querySelectorAll("[data-demo]")) {
  chip.onclick = () => {
    $("login-form").elements.username.value = chip.dataset.demo;
    $("login-form").elements.password.value = "demo-pass";
    $("login-form").requestSubmit();
  };
}
$("logout").onclick = async () => {
  await call("POST", "auth/logout/");
  location.reload(); // also closes the socket
};

// ---- ads and conversations

async function showAds() {
  const { results } = await call("GET", "ads/");
  $("ads").replaceChildren(...results.map((ad) => {
    const card = element("article", "card ad");
    card.dataset.id = ad.id;
    const picture = element("div", "picture", ad.title[0]);
    picture.style.setProperty("--hue", (ad.id * 97) % 360);
    const foot = element("p", "foot");
    foot.append(element("strong", "price", `${ad.price} €`), element("span", "soft", ad.publisher_name));
    card.append(picture, element("h2", "", ad.title), element("p", "", ad.description), foot);
    if (ad.publisher_id === me.user_id) {
      card.append(element("p", "soft", "Your ad: questions appear below."));
    } else {
      const ask = element("button", "primary", `Chat with ${ad.publisher_name.split(" ")[0]}`);
      ask.onclick = () => openChat(`/ws/chat/ad/${ad.id}/`, ad.title);
      card.append(ask);
    }
    return card;
  }));
}

async function showConversations() {
  const answer = await call("GET", "chat/rooms/");
  me = answer.me;
  $("conversations").replaceChildren(...answer.results.map((room) => {
    const isSupport = room.ad_id === null;
    const title = isSupport ? "Support" : room.ad_title;
    const other = room.publisher_id === me.user_id
      ? room.client_name ?? "IdrissiMart" : room.publisher_name;
    const row = element("button", "conversation");
    row.append(element("strong", "", `${other} · ${title}`), element("span", "soft", room.last_message));
    const path = isSupport ? `/ws/chat/support/publisher_${room.publisher_id}/`
      : `/ws/chat/ad/${room.ad_id}/?client_id=${room.client_id}`;
    row.onclick = () => openChat(path, `${other} · ${title}`);
    const item = element("li");
    item.append(row);
    return item;
  }));
  $("conversations-part").hidden = !answer.results.length;
}

// Who has no chat open learns of a new conversation in a few seconds.
setInterval(() => { if (me) showConversations(); }, 4000);

// ---- the open chat

function openChat(path, title) {
  if (path === opened) return;
  socket?.close();
  opened = path;
  shown.clear();
  draw();
  $("chat").hidden = false;
  $("chat-title").textContent = title;
  $("chat-problem").textContent = "";
  $("chat-state").textContent = "Connecting…"; // no longer that of the chat before
  socket = new LiveSocket(path, {
    onFrame: receive,
    onState: (isOpen) => {
      $("chat-state").textContent = isOpen ? "Connected" : "Connecting again…";
    },
  });
  $("composer").elements.message.focus();
}

$("support").onclick = () => openChat(`/ws/chat/support/publisher_${me.user_id}/`, "Support");
$("close-chat").onclick = () => {
  socket.close();
  socket = opened = undefined;
  $("chat").hidden = true;
};

function receive(frame) {
  if (frame.type === "history") {
    for (const message of frame.messages) shown.set(message.id, message);
    draw();
  } else if (frame.type === "message") {
    shown.set(frame.id, frame);
    showTyping("");
    draw();
  } else if (frame.type === "typing") {
    showTyping(`${frame.user_name} is typing…`);
  } else if (frame.type === "error") {
    $("chat-problem").textContent = frame.message;
  }
}

function draw() {
  const inOrder = [...shown.values()].sort((one, other) => one.id - other.id);
  $("messages").replaceChildren(...inOrder.map((message) => {
    const item = element("li", `message${message.sender_id === me.user_id ? " mine" : ""}`);
    const time = new Date(message.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    item.append(element("small", "", `${message.sender_name} · ${message.sender_role}`),
      element("span", "", message.message), element("time", "", time));
    return item;
  }));
  $("messages").scrollTop = $("messages").scrollHeight;
}

function showTyping(text) {
  clearTimeout(typingUntil);
  $("typing").textContent = text;
  if (text) typingUntil = setTimeout(() => showTyping(""), TYPING_SHOWN);
}

$("composer").elements.message.oninput = ({ target }) => {
  if (!target.value.trim() || Date.now() - lastTyping < TYPING_PAUSE) return;
  lastTyping = Date.now();
  socket.send({ type: "typing" });
};

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const input = event.target.elements.message;
  if (!input.value.trim()) return;
  lastTyping = 0;
  $("chat-problem").textContent = "";
  if (socket.send({ type: "message", message: input.value })) input.value = "";
  else $("chat-problem").textContent = "The connection is lost; try again in a moment.";
};

start();
