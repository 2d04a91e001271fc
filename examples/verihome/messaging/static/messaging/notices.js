// The bell: notifications from /ws/notifications/, the list of unread ones, the staff's own form.

import { get, post } from "./api.js";
import { LiveSocket } from "./socket.js";
import { $, element, noticeItem, toast } from "./view.js";

let socket;
let unread = [];

export async function startNotices(me, people) {
  socket = new LiveSocket("/ws/notifications/", me.access_token, { onFrame: receive });
  $("bell").onclick = () => {
    $("notices").hidden = !$("notices").hidden;
  };
  prepareForm(me, people);
  unread = (await get("notifications/")).results;
  draw();
}

function receive(frame) {
  if (frame.type === "general_notification" || frame.type === "urgent_notification") {
    unread = [frame, ...unread.filter((notice) => notice.id !== frame.id)];
    toast(frame.title, frame.message, frame.priority);
  } else if (frame.type === "notification_marked_read") {
    unread = unread.filter((notice) => notice.id !== frame.notification_id);
  }
  draw();
}

function draw() {
  $("bell-count").hidden = unread.length === 0;
  $("bell-count").textContent = unread.length;
  const items = unread.map((notice) => {
    const item = noticeItem(notice);
    item.onclick = () => {
      socket.send({ type: "mark_as_read", notification_id: notice.id });
      visit(notice.action_url);
    };
    return item;
  });
  $("notices").replaceChildren(...(items.length ? items : [element("p", "empty", "All read.")]));
}

function visit(address) {
  if (!address || !URL.canParse(address, location.href)) return;
  const url = new URL(address, location.href);
  // Nothing but the web: a javascript: address would run here.
  if (["http:", "https:"].includes(url.protocol)) window.open(url, "_blank", "noopener");
}

function prepareForm(me, people) {
  const dialog = $("announce-dialog");
  const form = $("announce-form");
  $("announce").hidden = !me.is_staff;
  $("announce").onclick = () => dialog.showModal();
  form.querySelector("[data-cancel]").onclick = () => dialog.close();
  for (const person of people) form.elements.user_id.append(new Option(person.display_name, person.id));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const { user_id, title, message, priority } = Object.fromEntries(new FormData(form));
    try {
      await post("notifications/", {
        user_id: user_id ? Number(user_id) : null, title, message, priority, action_url: "",
      });
      form.reset();
      dialog.close();
    } catch (error) {
      form.querySelector(".form-error").textContent = error.message;
    }
  };
}
