// The bell: /ws/notifications/ keeps the count; the list is fetched when it is opened.

import { get } from "./api.js";
import { LiveSocket } from "./socket.js";
import { $, avatar, element, showCount, timeOf, toast } from "./view.js";

let socket;
let items = new Map(); // id -> notification, newest first
let openTab;

export function startBell(tabOpener) {
  openTab = tabOpener;
  socket = new LiveSocket("/ws/notifications/", {
    onFrame: receive,
    onState: (isOpen) => {
      $("bell").classList.toggle("lost", !isOpen);
      if (isOpen) load(); // nothing that came while the connection was lost is missing
    },
  });
  $("bell").onclick = () => {
    $("notices").hidden = !$("notices").hidden;
  };
  $("read-all").onclick = () => socket.send("mark_all_read");
}

async function load() {
  const { results } = await get("notifications/");
  items = new Map(results.map((item) => [item.id, item]));
  draw();
}

function receive(type, data) {
  if (type === "unread_count") {
    showCount($("bell-count"), data.count);
    document.title = `${data.count ? `(${data.count}) ` : ""}RED-RED`;
  } else if (type === "new_notification") {
    add([data]);
    // High priority is shown at once, the rest is only listed.
    if (data.priority === "high" && !isBeingRead(data)) {
      toast(`@${data.from_user.username}`, data.message);
    }
    document.dispatchEvent(new CustomEvent("news", { detail: data.notification_type }));
  } else if (type === "notification_batch") {
    add(data.notifications);
    toast("Several things happened", `${data.notifications.length} new notifications`);
  } else if (type === "notification_read") {
    const item = items.get(data.notification_id);
    if (item) item.is_read = true;
    draw();
  } else if (type === "mark_all_read") {
    for (const item of items.values()) item.is_read = true;
    draw();
  }
}

// A message that shows in the open chat needs no second announcement.
function isBeingRead({ notification_type: type }) {
  return type === "chat_message" && !$("chat").hidden;
}

function add(more) {
  const known = [...items.values()].filter(({ id }) => !more.some((item) => item.id === id));
  items = new Map([...more.toReversed(), ...known].slice(0, 50).map((item) => [item.id, item]));
  draw();
}

function draw() {
  const rows = [...items.values()].map((item) => {
    const row = element("button", `notice${item.is_read ? "" : " unread"}`);
    const text = element("span");
    text.append(element("span", "", item.message), element("small", "soft", timeOf(item.created_at)));
    row.append(avatar(item.from_user.username), text);
    row.dataset.type = item.notification_type;
    row.onclick = () => {
      if (!item.is_read) socket.send("mark_read", { notification_id: item.id });
      $("notices").hidden = true;
      openTab(item.notification_type.endsWith("message") ? "chat" : "feed");
    };
    return row;
  });
  $("notice-list").replaceChildren(...(rows.length ? rows : [element("p", "empty", "Nothing yet.")]));
}
