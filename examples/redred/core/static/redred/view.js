// Builds the parts of the page from data. Text goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function button(text, className, action) {
  const node = element("button", className, text);
  node.type = "button";
  node.onclick = () => attempt(action);
  return node;
}

export function paintAvatar(node, name) {
  node.textContent = name.split(" ").map((word) => word[0]).join("").slice(0, 2).toUpperCase();
  const hue = [...name].reduce((sum, char) => sum + char.codePointAt(0) * 37, 0) % 360;
  node.style.setProperty("--hue", hue);
  return node;
}

export const avatar = (name) => paintAvatar(element("span", "avatar"), name);

export function showCount(node, count) {
  node.hidden = !count;
  node.textContent = count;
}

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
export const timeOf = (iso) => clock.format(new Date(iso));

export function toast(title, text) {
  const node = element("div", "toast");
  node.append(element("strong", "", title), element("span", "", text));
  $("toasts").append(node);
  setTimeout(() => node.remove(), 6000);
}

// What the user asked for and did not get is said at the edge of the page.
export async function attempt(action) {
  try {
    await action();
  } catch (error) {
    toast("That did not work", error.message);
  }
}
