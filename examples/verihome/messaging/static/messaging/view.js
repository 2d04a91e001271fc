// Builds the parts of the page from data. Text goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function paintAvatar(node, person) {
  node.textContent = person.display_name.split(" ").map((word) => word[0]).join("").slice(0, 2);
  node.style.setProperty("--hue", (person.id * 83 + 92) % 360);
}

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });

export function sinceText(iso) {
  if (!iso) return "Offline";
  const then = new Date(iso);
  const isToday = then.toDateString() === new Date().toDateString();
  return `Last seen ${isToday ? "today" : calendar.format(then)} at ${clock.format(then)}`;
}

export function personRow(person, isCurrent) {
  const row = element("button", `person${isCurrent ? " current" : ""}`);
  row.dataset.username = person.username;
  const avatar = element("span", `avatar presence${person.is_online ? " online" : ""}`);
  paintAvatar(avatar, person);
  const text = element("span", "person-text");
  text.append(element("strong", "", person.display_name));
  const preview = person.isTyping ? "typing…" : person.preview || "Say hello";
  text.append(element("small", person.isTyping ? "is-typing" : "", preview));
  row.append(avatar, text);
  if (person.unread) row.append(element("span", "count", person.unread));
  const item = element("li");
  item.append(row);
  return item;
}

const TICKS = `<svg class="ticks" viewBox="0 0 18 12" aria-hidden="true">
  <path d="m1.5 6.5 3.5 3.5 7-8"/><path class="second" d="m8 9.5.7.5 7-8"/></svg>`;

export function messageItem(message, isMine) {
  const item = element("li", `message${isMine ? " mine" : ""}`, message.content);
  item.dataset.id = message.id;
  const footer = element("footer");
  footer.append(element("time", "", clock.format(new Date(message.sent_at))));
  if (isMine) footer.insertAdjacentHTML("beforeend", TICKS);
  item.append(footer);
  if (isMine) markRead(item, message.is_read);
  return item;
}

export function markRead(item, isRead) {
  item.classList.toggle("read", isRead);
  item.querySelector("footer").title = isRead ? "Read" : "Sent";
}

export function dayItem(iso) {
  const date = new Date(iso);
  const isToday = date.toDateString() === new Date().toDateString();
  return element("li", "day", isToday ? "Today" : calendar.format(date));
}

export function noticeItem(notice) {
  const item = element("button", `notice ${notice.priority}`);
  item.append(element("strong", "", notice.title), element("div", "", notice.message));
  item.append(element("small", "", clock.format(new Date(notice.timestamp))));
  return item;
}

export function toast(title, text, priority = "medium") {
  const node = element("div", `toast ${priority}`);
  node.append(element("strong", "", title), element("span", "", text));
  $("toasts").append(node);
  setTimeout(() => node.remove(), priority === "urgent" ? 12000 : 6000);
}
