// The page: log in, then three tabs. feed.js, chat.js, live.js and bell.js fill them.

import { ApiError, get, post } from "./api.js";
import { startBell } from "./bell.js";
import { startChat } from "./chat.js";
import { showFeed, startFeed } from "./feed.js";
import { showLobby, startLive } from "./live.js";
import { $, attempt, paintAvatar } from "./view.js";

async function start() {
  let users;
  try {
    users = await get("users/");
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    $("login").hidden = false;
    return;
  }
  const { me, results } = users;
  $("login").hidden = true;
  $("app").hidden = false;
  paintAvatar($("my-avatar"), me.display_name);
  $("my-avatar").title = me.display_name;
  startBell(openTab);
  startFeed(me);
  startLive(me);
  await startChat(me, results.filter((user) => user.user_id !== me.user_id));
  await showFeed();
}

function openTab(name) {
  for (const tab of document.querySelectorAll(".tab")) tab.hidden = tab.id !== name;
  for (const link of document.querySelectorAll("[data-tab]")) {
    link.classList.toggle("current", link.dataset.tab === name);
  }
  if (name === "feed") attempt(showFeed);
  if (name === "live") attempt(showLobby);
  document.dispatchEvent(new CustomEvent("tab", { detail: name }));
}

for (const link of document.querySelectorAll("[data-tab]")) {
  link.onclick = () => openTab(link.dataset.tab);
}
$("logout").onclick = async () => {
  await post("auth/logout/");
  location.reload(); // also closes the sockets
};
$("login-form").onsubmit = async (event) => {
  event.preventDefault();
  $("login-error").textContent = "";
  try {
    await post("auth/login/", Object.fromEntries(new FormData(event.target)));
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

start();
