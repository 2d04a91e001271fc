// Live streams: the list, and one stream that this page sends or watches.

import { get } from "./api.js";
import { Broadcast, openCamera, Reception } from "./peers.js";
import { LiveSocket } from "./socket.js";
import { $, attempt, button, element, toast } from "./view.js";

const ROLES = { streamer: "Streamer", moderator: "Moderator", vip: "VIP", viewer: "" };

let me;
let socket;
let role;
let camera; // the streamer's picture
let media; // Broadcast or Reception
const audience = new Map(); // user id -> {username, role}, at the streamer's

export function startLive(user) {
  me = user;
  $("go-live").onsubmit = (event) => {
    event.preventDefault();
    attempt(async () => {
      camera = await openCamera();
      enter(`${me.username}-${Date.now().toString(36)}`, me.display_name);
    });
  };
  $("leave").onclick = () => {
    if (role === "streamer") socket.send("stream_ended");
    else leave();
  };
  $("unmute").onclick = () => {
    $("video").muted = false;
    $("unmute").hidden = true;
  };
  $("comment-form").onsubmit = (event) => {
    event.preventDefault();
    const input = event.target.elements.text;
    if (input.value.trim() && socket.send("comment", { text: input.value })) input.value = "";
  };
}

export async function showLobby() {
  if (socket) return;
  const { results } = await get("live/");
  const cards = results.map((stream) => {
    const card = element("article", "card stream");
    card.append(element("strong", "", stream.streamer_name),
      element("span", "soft", `${stream.viewers_count} watching`),
      button("Watch", "primary watch", () => enter(stream.stream_id, stream.streamer_name)));
    card.dataset.streamer = stream.streamer;
    return card;
  });
  $("streams").replaceChildren(...(cards.length ? cards : [element("p", "empty", "Nobody is live.")]));
}

function enter(streamId, streamerName) {
  $("lobby").hidden = true;
  $("studio").hidden = false;
  $("stream-title").textContent = streamerName;
  $("comments").replaceChildren();
  socket = new LiveSocket(`/ws/live/${streamId}/`, {
    onFrame: (type, data) => attempt(() => receive(streamId, type, data)),
    onState: (isOpen) => $("studio").classList.toggle("lost", !isOpen),
    onEnd: (code) => {
      if (code === 4003) toast("You were removed", "A moderator took you out of this stream.");
      else toast("The stream has ended", streamerName);
      leave();
    },
  });
}

function leave() {
  socket.close();
  socket = undefined;
  media?.close();
  for (const track of camera?.getTracks() ?? []) track.stop();
  media = camera = undefined;
  $("video").srcObject = null;
  audience.clear();
  drawAudience();
  $("studio").hidden = true;
  $("lobby").hidden = false;
  attempt(showLobby);
}

async function receive(streamId, type, data) {
  switch (type) {
    case "connection_established":
      return begin(streamId, data);
    case "viewers_update":
      $("viewers").textContent = data.viewers_count;
      return;
    case "stream_started":
      $("on-air").hidden = false;
      if (role === "streamer") await Promise.all([...audience.keys()].map((id) => media.offerTo(id)));
      return;
    case "user_joined":
      audience.set(data.user_id, { username: data.username, role: data.role });
      drawAudience();
      await media.offerTo(data.user_id);
      return;
    case "user_left":
      audience.delete(data.user_id);
      media.drop(data.user_id);
      drawAudience();
      return;
    case "webrtc_offer":
    case "webrtc_answer":
    case "ice_candidate":
      await media.receive(type, data);
      return;
    case "comment":
      addComment(data);
      return;
    case "comment_deleted":
      $("comments").querySelector(`[data-id="${data.comment_id}"]`)?.remove();
      return;
    case "role_changed":
      changeRole(data);
      return;
    case "error":
      toast("That did not work", data.message);
  }
}

async function begin(streamId, data) {
  role = data.role;
  $("studio").dataset.role = role;
  $("on-air").hidden = data.status !== "live";
  $("viewers").textContent = data.viewers_count;
  $("leave").textContent = role === "streamer" ? "End the stream" : "Leave";
  media?.close();
  const send = (type, more) => socket?.send(type, more);
  if (role === "streamer") {
    media = new Broadcast(camera, send);
    show(camera);
    socket.send("stream_started");
  } else {
    $("waiting").hidden = false;
    media = new Reception(send, show);
  }
  const { results } = await get(`live/${streamId}/comments/`);
  $("comments").replaceChildren();
  for (const comment of results) addComment(comment);
}

function show(stream) {
  const video = $("video");
  video.srcObject = stream;
  video.muted = true; // browsers start nothing with sound by themselves
  $("unmute").hidden = role === "streamer" || !stream.getAudioTracks().length;
  $("waiting").hidden = true;
}

function addComment(comment) {
  if ($("comments").querySelector(`[data-id="${comment.id}"]`)) return;
  const item = element("li", comment.highlighted ? "highlighted" : "");
  item.dataset.id = comment.id;
  const name = element("strong", "", comment.username);
  if (ROLES[comment.role]) name.append(element("em", comment.role, ROLES[comment.role]));
  item.append(name, element("span", "", comment.text));
  const tools = element("span", "tools");
  tools.append(button("Delete", "link delete", () => socket.send("delete_comment", { comment_id: comment.id })));
  if (comment.user_id !== me.user_id && comment.role !== "streamer") {
    tools.append(button("Remove user", "link kick", () => socket.send("kick_user", { user_id: comment.user_id })));
  }
  item.append(tools);
  $("comments").append(item);
  $("comments").scrollTop = $("comments").scrollHeight;
}

function changeRole({ user_id: id, role: newRole }) {
  if (id === me.user_id) {
    role = newRole;
    $("studio").dataset.role = role;
    toast("Your role has changed", ROLES[newRole] || "Viewer");
  }
  if (audience.has(id)) audience.get(id).role = newRole;
  drawAudience();
}

// The streamer's list of who watches, with what may be done.
function drawAudience() {
  const rows = [...audience].map(([id, { username, role: theirs }]) => {
    const row = element("li");
    row.dataset.username = username;
    row.append(element("span", "", username));
    const choice = element("select");
    choice.setAttribute("aria-label", `Role of ${username}`);
    for (const name of ["viewer", "vip", "moderator"]) choice.append(new Option(name, name));
    choice.value = theirs;
    choice.onchange = () => socket.send("grant_role", { user_id: id, role: choice.value });
    row.append(choice, button("Remove", "link", () => socket.send("kick_user", { user_id: id })));
    return row;
  });
  $("audience").replaceChildren(...rows);
}
