// The page: log in, the list of people with presence, and one open conversation.
// /ws/messaging/ brings the messages of all threads, /ws/messaging/thread/<id>/ is the open one,
// /ws/user-status/ says who is online. Notifications are in notices.js.

import { ApiError, get, post, session } from "./api.js";
import { startNotices } from "./notices.js";
import { LiveSocket } from "./socket.js";
import {
  $, dayItem, markRead, messageItem, paintAvatar, personRow, sinceText, toast,
} from "./view.js";

const TYPING_PAUSE = 2500; // milliseconds without a key until we say typing_stop

let me; // what login answered
const people = new Map(); // user id -> person, with threadId, unread, preview, isTyping
let current; // the person whose conversation is open
const shown = new Map(); // its messages by id
let messaging, threadSocket;
let opening; // settled when threadSocket is that of `current`
let typingTimer;

// ---- logging in and out

async function start() {
  me = session.get();
  $("login").hidden = Boolean(me);
  $("messenger").hidden = !me;
  if (!me) return;
  $("my-name").textContent = me.display_name;
  paintAvatar($("my-avatar"), { id: me.user_id, display_name: me.display_name });
  try {
    await loadPeople();
    connect();
    await startNotices(me, [...people.values()]);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    logOut(); // the token has run out
  }
}

function logOut() {
  session.clear();
  location.reload(); // also closes the sockets
}

$("logout").onclick = logOut;
$("login-form").onsubmit = async (event) => {
  event.preventDefault();
  try {
    session.set(await post("auth/login/", Object.fromEntries(new FormData(event.target))));
    $("login-error").textContent = "";
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

// ---- people

async function loadPeople() {
  const [users, threads] = await Promise.all([get("users/"), get("threads/")]);
  for (const user of users.results) {
    if (user.id === me.user_id) continue;
    people.set(user.id, Object.assign(people.get(user.id) ?? {}, user)); // `current` stays the same
  }
  for (const thread of threads.results) {
    const person = people.get(thread.participants.find((id) => id !== me.user_id));
    if (!person) continue;
    Object.assign(person, {
      threadId: thread.id,
      unread: thread.unread_count,
      preview: thread.last_message && previewOf(thread.last_message),
    });
  }
  drawPeople();
}

function previewOf(message) {
  return `${message.sender_id === me.user_id ? "You: " : ""}${message.content.slice(0, 80)}`;
}

function personOfThread(threadId) {
  return [...people.values()].find((person) => person.threadId === threadId);
}

function drawPeople() {
  const rows = [...people.values()].map((person) => {
    const item = personRow(person, person === current);
    item.firstChild.onclick = () => openConversation(person);
    return item;
  });
  $("people").replaceChildren(...rows);
  const unread = [...people.values()].reduce((sum, person) => sum + (person.unread || 0), 0);
  document.title = `${unread ? `(${unread}) ` : ""}VeriHome messages`;
  if (current) {
    $("their-avatar").className = `avatar presence${current.is_online ? " online" : ""}`;
    $("their-state").className = current.is_online ? "online" : "";
    $("their-state").textContent = current.is_online ? "Online" : sinceText(current.last_seen);
    $("typing").classList.toggle("shown", Boolean(current.isTyping));
    $("typing-name").textContent = `${current.display_name} is typing`;
  }
}

// ---- sockets that are open as long as the page

function connect() {
  let wasOpen = false;
  messaging = new LiveSocket("/ws/messaging/", me.access_token, {
    onFrame: onMessagingFrame,
    onState(isOpen) {
      $("link-state").textContent = isOpen ? "Connected" : "Connecting again…";
      $("link-state").className = isOpen ? "online" : "";
      if (!isOpen) return;
      joinConversations();
      if (wasOpen) catchUp();
      wasOpen = true;
    },
  });
  new LiveSocket("/ws/user-status/", me.access_token, {
    heartbeatType: "heartbeat",
    onFrame(frame) {
      const person = frame.type === "user_status_update" && people.get(frame.user_id);
      if (!person) return;
      Object.assign(person, { is_online: frame.is_online, last_seen: frame.last_seen });
      if (!frame.is_online) person.isTyping = false;
      drawPeople();
    },
  });
}

async function catchUp() {
  try {
    await loadPeople();
  } catch (error) {
    if (error.status === 401) logOut();
  }
}

function joinConversations() {
  for (const { threadId } of people.values()) {
    if (threadId) messaging.send({ type: "join_conversation", thread_id: threadId });
  }
}

async function onMessagingFrame(frame) {
  if (frame.type === "new_message") {
    const { message } = frame;
    if (!personOfThread(message.thread_id)) {
      await loadPeople(); // a conversation somebody else has just begun
      messaging.send({ type: "join_conversation", thread_id: message.thread_id });
    } else {
      const person = personOfThread(message.thread_id);
      person.preview = previewOf(message);
      if (message.sender_id !== me.user_id) person.isTyping = false;
      // What is being read is not counted, see readMessages.
      if (message.sender_id !== me.user_id && !isReading(person)) person.unread += 1;
    }
    drawPeople();
  } else if (frame.type === "typing_notification") {
    showTyping(frame);
  } else if (frame.type === "message_read_receipt") {
    showReceipt(frame);
  }
}

// ---- the open conversation

function openConversation(person) {
  if (person === current) return;
  stopTyping();
  threadSocket?.close();
  current = person;
  $("nobody").hidden = true;
  $("thread").hidden = false;
  $("their-name").textContent = person.display_name;
  paintAvatar($("their-avatar"), person);
  shown.clear();
  $("messages").replaceChildren();
  drawPeople();
  $("content").focus();
  opening = openThread(person);
}

async function openThread(person) {
  if (!person.threadId) {
    person.threadId = (await post("threads/", { username: person.username })).id;
    person.unread = 0;
    messaging.send({ type: "join_conversation", thread_id: person.threadId });
  }
  if (current !== person) return; // another one was chosen meanwhile
  const path = `/ws/messaging/thread/${person.threadId}/`;
  threadSocket = new LiveSocket(path, me.access_token, {
    onFrame(frame) {
      if (frame.type === "connection_established") loadMessages(person);
      else if (frame.type === "new_message") showMessage(frame.message);
      else if (frame.type === "message_read_receipt") showReceipt(frame);
      else if (frame.type === "typing_notification") showTyping(frame);
      else if (frame.type === "error") toast("That did not work", frame.message, "urgent");
    },
  });
}

// After each connection, so that nothing sent while it was lost is missing. Messages may have come
// live before this answer, so the list is made anew in order.
async function loadMessages(person) {
  const { results } = await get(`threads/${person.threadId}/messages/`);
  if (current !== person) return;
  for (const message of results) {
    if (!shown.get(message.id)?.is_read) shown.set(message.id, message);
  }
  $("messages").replaceChildren();
  const inOrder = [...shown.values()].sort((a, b) => (a.sent_at < b.sent_at ? -1 : 1));
  for (const message of inOrder) appendMessage(message);
  readMessages();
}

function showMessage(message) {
  if (shown.has(message.id)) return;
  shown.set(message.id, message);
  appendMessage(message);
  if (message.sender_id === current.id) current.isTyping = false;
  readMessages();
}

function appendMessage(message) {
  const list = $("messages");
  const day = new Date(message.sent_at).toDateString();
  if (list.lastElementChild?.dataset.day !== day) list.append(dayItem(message.sent_at));
  const item = messageItem(message, message.sender_id === me.user_id);
  item.dataset.day = day;
  list.append(item);
  list.scrollTop = list.scrollHeight;
}

function isReading(person) {
  return person === current && document.visibilityState === "visible";
}

function readMessages() {
  if (!current || !isReading(current)) return;
  const unread = [...shown.values()].filter(
    (message) => message.sender_id !== me.user_id && !message.is_read,
  );
  const ids = unread.map((message) => message.id);
  if (!ids.length || threadSocket.send({ type: "mark_messages_read", message_ids: ids })) {
    for (const message of unread) message.is_read = true;
    current.unread = 0;
    drawPeople();
  }
}

document.addEventListener("visibilitychange", readMessages);

function showReceipt(frame) {
  const message = shown.get(frame.message_id);
  if (message) message.is_read = true;
  const item = $("messages").querySelector(`.mine[data-id="${frame.message_id}"]`);
  if (item) markRead(item, true);
}

function showTyping(frame) {
  const person = people.get(frame.user_id);
  if (!person) return;
  person.isTyping = frame.is_typing;
  drawPeople();
}

// ---- writing

function stopTyping() {
  if (!typingTimer) return;
  clearTimeout(typingTimer);
  typingTimer = undefined;
  threadSocket?.send({ type: "typing_stop" });
}

$("content").oninput = ({ target }) => {
  target.style.height = "auto";
  target.style.height = `${target.scrollHeight + 2}px`;
  if (!target.value.trim()) return stopTyping();
  if (!typingTimer) threadSocket?.send({ type: "typing_start" });
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_PAUSE);
};

$("content").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};

$("composer").onsubmit = async (event) => {
  event.preventDefault();
  const content = $("content").value;
  const person = current;
  if (!content.trim()) return;
  stopTyping();
  $("content").value = "";
  $("content").style.height = "auto";
  try {
    await opening;
    // Another conversation may have been opened meanwhile; the message is still for this person.
    if (person === current && threadSocket.send({ type: "send_message", content })) return;
    // The socket is still connecting, or lost. The API stores and delivers just the same.
    const message = await post(`threads/${person.threadId}/messages/`, { content });
    if (person === current) showMessage(message);
  } catch (error) {
    if (!$("content").value) $("content").value = content;
    toast("Not sent", error.message, "urgent");
  }
};

start();
