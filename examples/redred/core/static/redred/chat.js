// The chat: one room is open at a time; its socket also brings chat_update of all the others.

import { get, post } from "./api.js";
import { LiveSocket } from "./socket.js";
import { $, attempt, avatar, element, paintAvatar, showCount, timeOf } from "./view.js";

const TYPING_SHOWN = 3000; // milliseconds; nobody says that he stopped
const TYPING_PAUSE = 2000; // between two frames of ours

let me;
let people = []; // with room, unread, preview, isHere
let current;
let socket;
let isVisible = false;
let typingUntil;
let lastTyping = 0;
const shown = new Map(); // messages of the open room by id
const delivered = new Set(); // ids; may come before the message itself

export async function startChat(user, others) {
  me = user;
  people = others.map((person) => ({ ...person, unread: 0 }));
  await loadRooms();
  setInterval(() => attempt(refresh), 15000);
}

async function refresh() {
  if (!current) await loadRooms(); // no room's socket tells us
}

async function loadRooms() {
  const { results } = await get("chat/rooms/");
  for (const room of results) {
    const person = people.find(({ user_id: id }) => room.participants.includes(id));
    if (!person) continue;
    Object.assign(person, { room: room.room_name, isHere: room.other_is_here });
    if (person !== current) person.unread = room.unread_count;
    if (room.last_message) person.preview = preview(room.last_message.sender_id, room.last_message.message);
  }
  drawPeople();
}

function preview(senderId, text) {
  return `${senderId === me.user_id ? "You: " : ""}${text.slice(0, 60)}`;
}

function drawPeople() {
  const rows = people.map((person) => {
    const row = element("button", `person${person === current ? " current" : ""}`);
    row.dataset.username = person.username;
    const text = element("span", "person-text");
    text.append(element("strong", "", person.display_name),
      element("small", "soft", person.preview ?? "Say hello"));
    row.append(avatar(person.display_name), text);
    if (person.unread) row.append(element("span", "count", person.unread));
    row.onclick = () => attempt(() => openRoom(person));
    const item = element("li");
    item.append(row);
    return item;
  });
  $("people").replaceChildren(...rows);
  showCount($("chat-count"), people.reduce((sum, { unread }) => sum + unread, 0));
  if (current) {
    $("their-state").textContent = current.isHere ? "In this chat" : "Away";
    $("their-state").classList.toggle("online", Boolean(current.isHere));
  }
}

async function openRoom(person) {
  if (person === current) return;
  socket?.close();
  current = person;
  person.room ??= (await post("chat/rooms/", { username: person.username })).room_name;
  if (person !== current) return; // another one was chosen meanwhile
  $("nobody").hidden = true;
  $("room").hidden = false;
  $("chat").classList.add("open");
  $("their-name").textContent = person.display_name;
  paintAvatar($("their-avatar"), person.display_name);
  showTyping(false);
  shown.clear();
  drawMessages();
  drawPeople();
  const { room } = person;
  socket = new LiveSocket(`/ws/chat/${room}/`, {
    onFrame: (type, data) => receive(room, type, data),
    onState: (isOpen) => {
      if (isOpen) attempt(() => loadMessages(room));
    },
  });
}

// After each connection, so that nothing sent while it was lost is missing.
async function loadMessages(room) {
  const [{ results }] = await Promise.all([get(`chat/rooms/${room}/messages/`), loadRooms()]);
  if (current.room !== room) return;
  for (const message of results) shown.set(message.id, message);
  drawMessages();
  markRead();
}

function receive(room, type, data) {
  if (type === "chat_message") {
    shown.set(data.id, data);
    if (data.sender_id !== me.user_id) showTyping(false);
    drawMessages();
    markRead();
  } else if (type === "message_delivered") {
    delivered.add(data.message_id);
    drawMessages();
  } else if (type === "message_read") {
    for (const id of data.message_ids) if (shown.has(id)) shown.get(id).is_read = true;
    drawMessages();
  } else if (type === "typing") {
    showTyping(data.is_typing);
  } else if (type === "user_status") {
    current.isHere = data.is_online;
    drawPeople();
  } else if (type === "chat_update") {
    update(data);
  }
}

function update({ room, last_message: text, last_sender_id: senderId }) {
  const person = people.find((one) => one.room === room);
  if (!person) return attempt(loadRooms);
  person.preview = preview(senderId, text);
  if (senderId !== me.user_id && !(person === current && isVisible)) person.unread += 1;
  drawPeople();
}

function drawMessages() {
  const inOrder = [...shown.values()].sort((one, other) => one.id - other.id);
  $("messages").replaceChildren(...inOrder.map(messageItem));
  $("messages").scrollTop = $("messages").scrollHeight;
}

function messageItem(message) {
  const isMine = message.sender_id === me.user_id;
  const item = element("li", `message${isMine ? " mine" : ""}`, message.message);
  const footer = element("small", "", timeOf(message.created_at));
  if (isMine) {
    const state = message.is_read ? "read" : delivered.has(message.id) ? "delivered" : "sent";
    item.classList.add(state);
    const ticks = element("span", "ticks", state === "sent" ? "✓" : "✓✓");
    ticks.title = state;
    footer.append(ticks);
  }
  item.append(footer);
  return item;
}

function markRead() {
  if (!current || !isVisible || document.visibilityState !== "visible") return;
  const unread = [...shown.values()].filter(({ sender_id: id, is_read: isRead }) => id !== me.user_id && !isRead);
  if (!unread.length || socket.send("mark_read", { message_ids: unread.map(({ id }) => id) })) {
    for (const message of unread) message.is_read = true;
    current.unread = 0;
    drawPeople();
  }
}

document.addEventListener("tab", ({ detail }) => {
  isVisible = detail === "chat";
  markRead();
});
document.addEventListener("visibilitychange", markRead);

function showTyping(isTyping) {
  clearTimeout(typingUntil);
  $("typing").textContent = isTyping ? `${current.display_name} is typing…` : "";
  if (isTyping) typingUntil = setTimeout(() => showTyping(false), TYPING_SHOWN);
}

$("composer").elements.message.oninput = ({ target }) => {
  if (!target.value.trim() || Date.now() - lastTyping < TYPING_PAUSE) return;
  lastTyping = Date.now();
  socket.send("typing", { is_typing: true });
};

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const input = event.target.elements.message;
  if (!input.value.trim()) return;
  lastTyping = 0;
  attempt(() => {
    if (!socket.send("chat_message", { message: input.value })) {
      throw new Error("The connection is lost; try again in a moment.");
    }
    input.value = "";
  });
};
