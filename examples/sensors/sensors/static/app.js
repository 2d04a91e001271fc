// The live table: the sensors with their last readings, kept up to date by two sockets.

import { LiveSocket } from "./socket.js";

const API = "/api/v1";
const KEPT = 40; // readings in a trend, events in the list

const $ = (id) => document.getElementById(id);
const sensors = new Map(); // id -> sensor, with `readings`, oldest first

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

async function call(method, path, body) {
  const response = await fetch(`${API}${path}`, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error((await response.json()).detail);
  return response.status === 204 ? null : response.json();
}

// What the user asked for and did not get is said below the form.
async function attempt(action) {
  $("problem").textContent = "";
  try {
    await action();
  } catch (error) {
    $("problem").textContent = `That did not work: ${error.message}`;
  }
}

// ---- the table

async function load() {
  const [all, readings] = await Promise.all([
    call("GET", "/test-sensors/"), call("GET", "/test-lecturas/"),
  ]);
  sensors.clear();
  for (const sensor of all) sensors.set(sensor.id, { ...sensor, readings: [] });
  for (const reading of readings) keep(reading);
  $("sensors").replaceChildren();
  for (const id of sensors.keys()) draw(id);
  $("empty").hidden = sensors.size > 0;
}

function keep(reading) {
  const sensor = sensors.get(reading.sensor_id);
  if (!sensor) return;
  const old = sensor.readings.findIndex(({ id }) => id === reading.id);
  if (old >= 0) sensor.readings[old] = reading;
  else sensor.readings.push(reading);
  sensor.readings.splice(0, sensor.readings.length - KEPT);
}

function draw(id) {
  const sensor = sensors.get(id);
  const last = sensor.readings.at(-1);
  const row = element("tr");
  row.dataset.id = id;
  row.append(
    element("td", "soft", id),
    element("td", "strong", sensor.tipo),
    element("td", "", sensor.modelo),
    element("td", "number", last ? `${last.valor.toFixed(1)} ${last.unidad}` : "–"),
  );
  const trend = element("td", "trend");
  trend.append(sparkline(sensor.readings.map(({ valor }) => valor)));
  const actions = element("td", "actions");
  actions.append(
    button("Rename", "edit", () => rename(sensor)),
    button("Delete", "delete", () => call("DELETE", `/test-sensors/${id}`)),
  );
  row.append(trend, actions);
  const old = $("sensors").querySelector(`[data-id="${id}"]`);
  if (old) old.replaceWith(row);
  else $("sensors").append(row);
}

function button(text, className, action) {
  const node = element("button", className, text);
  node.onclick = () => attempt(action);
  return node;
}

async function rename(sensor) {
  const modelo = prompt("New model", sensor.modelo);
  if (modelo) await call("PUT", `/test-sensors/${sensor.id}`, { modelo });
}

function sparkline(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 120 28");
  svg.setAttribute("aria-hidden", "true");
  if (values.length < 2) return svg;
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const points = values.map((value, index) =>
    `${(index / (values.length - 1)) * 116 + 2},${25 - ((value - low) / span) * 22}`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  svg.append(line);
  return svg;
}

// ---- the events

function onFrame(frame) {
  if (frame.type === "stats") showCounts(frame.stats.channels);
  if (frame.type !== "entity_event") return;
  const { entity_type: entity, event_type: event, data } = frame;
  if (entity === "sensor") {
    if (event === "deleted") {
      sensors.delete(data.id);
      $("sensors").querySelector(`[data-id="${data.id}"]`)?.remove();
    } else {
      sensors.set(data.id, { ...data, readings: sensors.get(data.id)?.readings ?? [] });
      draw(data.id);
      flash(data.id);
    }
  } else if (sensors.has(data.sensor_id)) {
    if (event !== "deleted") keep(data);
    draw(data.sensor_id);
    flash(data.sensor_id);
  }
  $("empty").hidden = sensors.size > 0;
  listEvent(entity, event, data, frame.timestamp);
}

function flash(id) {
  $("sensors").querySelector(`[data-id="${id}"]`)?.classList.add("changed");
}

function listEvent(entity, event, data, timestamp) {
  const item = element("li", event);
  const what = entity === "sensor"
    ? `${data.tipo} ${data.modelo}` : `${data.valor.toFixed(1)} ${data.unidad} of sensor ${data.sensor_id}`;
  item.append(
    element("strong", "", `${entity === "sensor" ? "Sensor" : "Reading"} ${event}`),
    element("span", "", what),
    element("time", "", timestamp.slice(11, 19)),
  );
  $("events").prepend(item);
  while ($("events").childElementCount > KEPT) $("events").lastElementChild.remove();
}

function showCounts(channels) {
  for (const node of document.querySelectorAll("[data-channel]")) {
    node.textContent = channels[node.dataset.channel];
  }
}

// ---- asking for more

$("add").onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  attempt(async () => {
    await call("POST", "/test-sensors/", Object.fromEntries(new FormData(form)));
    form.reset();
  });
};

let simulation;
$("simulate").onclick = ({ target }) => {
  clearInterval(simulation);
  simulation = simulation ? undefined : setInterval(() => attempt(measure), 1000);
  target.setAttribute("aria-pressed", String(Boolean(simulation)));
  if (simulation) attempt(measure);
};

async function measure() {
  for (const { id, tipo, readings } of sensors.values()) {
    const last = readings.at(-1) ?? (/hum/i.test(tipo) ? { valor: 50, unidad: "%" } : { valor: 20, unidad: "°C" });
    const valor = last.valor + Math.random() * 2 - 1;
    await call("POST", "/test-lecturas/", { sensor_id: id, valor, unidad: last.unidad });
  }
}

// ---- sockets

const open = new Set();
const connected = [];

function onState(channel, isOpen) {
  if (isOpen) open.add(channel);
  else open.delete(channel);
  const all = open.size === 2;
  $("link-state").textContent = all ? "Live" : "Connecting again…";
  $("link-state").classList.toggle("live", all);
  if (all) attempt(load); // nothing that happened while the connection was lost is missing
}

for (const channel of ["sensors", "readings"]) {
  connected.push(new LiveSocket(`${API}/ws?channel=${channel}`, {
    onFrame, onState: (isOpen) => onState(channel, isOpen),
  }));
}
setInterval(() => connected[0].send({ type: "get_stats" }), 2000);
