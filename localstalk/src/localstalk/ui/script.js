"use strict";
// Text from the service only ever becomes text nodes: nothing here makes markup out of it.
const LARGEST = 500; // events kept in the table
const byId = (id) => document.getElementById(id);
const rows = new Map(); // environment id -> {summary, row}
let source = null;
let moved = false; // by a link, so that the focus has to follow

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const chosen = () => decodeURIComponent(location.hash.slice(1));
const link = (id, name) => make("a", { href: `#${encodeURIComponent(id)}` }, name);
const health = (color, status) => make("span", { "data-color": color }, status);
const text = (value) => (value === null || value === "" ? "–" : String(value));

function moment(date) {
  const shown = new Date(date).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return make("time", { datetime: date, title: date }, shown);
}

// A public name with its own part first; the rest, the same for all, stays small.
function named(fqdn) {
  const [, prefix, rest] = /^([^.]*)(.*)$/.exec(fqdn);
  return make("span", { class: "cname" }, prefix, make("small", {}, rest));
}

// What is shown anew must not take the focus from under a keyboard.
function keepFocus(container, render) {
  const focused = container.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  render();
  if (focused) container.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

// --- environments ---

function environmentRow(one) {
  const ended = one.status === "Terminated";
  const row = make("tr", { id: `row-${one.id}`, class: ended ? "ended" : null },
    make("th", { scope: "row" }, link(one.id, one.name), make("small", {}, `${one.application} · ${one.region}`)),
    make("td", {}, health(one.color, one.health)), make("td", {}, one.status),
    make("td", { class: "wrap version" }, text(one.version)), make("td", { class: "number" }, String(one.instances)),
    make("td", {}, ended || !one.cname ? "–" : named(one.cname)));
  if (one.id === chosen()) row.setAttribute("aria-current", "true");
  return row;
}

function showEnvironments(changed, gone) {
  let arrived = false;
  for (const id of gone) {
    rows.get(id)?.row.remove();
    rows.delete(id);
  }
  for (const summary of changed) {
    const row = environmentRow(summary);
    const known = rows.get(summary.id);
    if (known) {
      row.className += " new";
      known.row.replaceWith(row);
    } else arrived = true;
    rows.set(summary.id, { summary, row });
  }
  if (arrived) {
    const order = (one) => [one.application, one.name, one.status === "Terminated" ? 1 : 0, one.id].join("\n");
    const sorted = [...rows.values()].map((one) => [order(one.summary), one.row]);
    sorted.sort(([a], [b]) => (a < b ? -1 : 1));
    byId("environment-table").tBodies[0].replaceChildren(...sorted.map(([, row]) => row));
  }
  filter();
}

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  const tally = new Map();
  let shown = 0;
  for (const { summary, row } of rows.values()) {
    row.hidden = wanted !== "" && !Object.values(summary).join("\n").toLowerCase().includes(wanted);
    if (row.hidden) continue;
    shown += 1;
    const [color, count] = tally.get(summary.health) || [summary.color, 0];
    tally.set(summary.health, [color, count + 1]);
  }
  byId("count").textContent = shown === rows.size ? `${rows.size}` : `${shown} of ${rows.size}`;
  byId("tally").replaceChildren(...[...tally].sort().map(([status, [color, count]]) => make("li", {}, health(color, `${count} ${status}`))));
  byId("nothing").hidden = rows.size > 0;
  byId("environment-table").hidden = rows.size === 0;
}

// --- one environment ---

function showDetail(one) {
  byId("missing").hidden = one !== null;
  byId("facts").replaceChildren();
  byId("fleet-table").tBodies[0].replaceChildren();
  byId("leader").textContent = "";
  byId("detail-title").textContent = one === null ? chosen() : one.name;
  if (one === null) return;
  const name = one.url ? make("a", { href: one.url, rel: "noreferrer" }, one.cname) : text(one.cname);
  const causes = one.causes.length ? make("ul", { class: "causes" }, ...one.causes.map((cause) => make("li", {}, cause))) : null;
  const facts = [
    ["Health", [health(one.color, one.health), causes]], ["Status", [one.status]], ["Version", [text(one.version)]],
    ["CNAME", [name]], ["Endpoint", [text(one.endpoint)]], ["Id", [make("span", { class: "id" }, one.id)]],
    ["Description", [one.description]], ["Application", [one.application]],
    ["Its description", [one.application_description]], ["Platform", [one.platform]], ["Tier", [one.tier]],
    ["Region", [`${one.region}, account ${one.account}`]], ["Created", [moment(one.created)]],
  ];
  for (const [term, values] of facts) {
    if (values[0]) byId("facts").append(make("dt", {}, term), make("dd", { class: "wrap" }, ...values.filter((value) => value !== null)));
  }
  byId("fleet-table").tBodies[0].append(...one.fleet.map(instanceRow));
  const leaders = one.fleet.filter((each) => each.leader);
  if (leaders.length) byId("leader").textContent = `Leader of deployment ${leaders[0].led}: ${leaders.map((each) => each.id).join(", ")}`;
  else byId("leader").textContent = "No instance was elected leader of its last deployment.";
}

function instanceRow(one) {
  const mark = one.leader ? make("strong", { class: "leader", title: `elected leader of deployment ${one.led}` }, "leader") : null;
  const causes = one.causes.length ? make("small", { class: "wrap" }, one.causes.join(" ")) : null;
  const deployment = one.deployment === null ? null : make("small", {}, `deployment ${one.deployment}: ${one.deployed}`);
  return make("tr", { id: `instance-${one.id}` },
    make("th", { scope: "row" }, make("span", { class: "id" }, one.id), mark ? " " : null, mark,
      make("small", {}, [one.address, one.zone, one.type].filter(Boolean).join(" · "))),
    make("td", {}, health(one.color, one.health), causes), make("td", { class: "wrap" }, text(one.version), deployment),
    make("td", {}, one.in_service ? "yes" : "no"));
}

// --- events and swaps, newest first ---

function showEvents(events) {
  const body = byId("event-table").tBodies[0];
  for (const one of events) {
    const of = one.environment && one.id ? link(one.id, one.environment) : text(one.application);
    body.prepend(make("tr", { class: "new" }, make("td", {}, moment(one.date)), make("td", { class: one.severity }, one.severity),
      make("td", { class: "wrap" }, make("small", { class: "of" }, of), make("span", { class: "message" }, one.message))));
  }
  while (body.rows.length > LARGEST) body.lastElementChild.remove();
}

function showSwaps(swaps) {
  const body = byId("swap-table").tBodies[0];
  for (const one of swaps) {
    body.prepend(...one.sides.map((side) => make("tr", { class: "new" }, make("td", {}, moment(one.date)),
      make("th", { scope: "row" }, link(side.id, side.environment)),
      make("td", {}, named(side.before)), make("td", {}, named(side.after)))));
  }
  byId("swaps").hidden = body.rows.length === 0;
}

// --- the connection ---

function show(message) {
  if (message.about) {
    const { driver, speed, version, home } = message.about;
    byId("about").textContent = `${version} · ${driver} driver · ${speed} times real time · ${home}`;
    // A new connection tells everything again, perhaps of another daemon on the same port.
    rows.clear();
    for (const table of document.querySelectorAll("tbody")) table.replaceChildren();
    byId("detail").hidden = chosen() === "";
    document.body.classList.toggle("one", chosen() !== "");
    byId("events-title").textContent = chosen() === "" ? "Events" : "Its events";
    byId("swaps-title").textContent = chosen() === "" ? "CNAME swaps" : "Its CNAME swaps";
    if (chosen() !== "") showDetail(message.detail || null);
    showSwaps([]);
    if (moved) byId(chosen() === "" ? "environments-title" : "detail-title").focus();
    moved = false;
  } else if (message.detail !== undefined) keepFocus(byId("facts"), () => showDetail(message.detail));
  if (message.about || message.environments || message.gone) {
    keepFocus(byId("environment-table"), () => showEnvironments(message.environments || [], message.gone || []));
  }
  showEvents(message.events || []);
  showSwaps(message.swaps || []);
}

function say(words, state) {
  byId("connection").textContent = words;
  byId("connection").className = state;
}

function connect() {
  source?.close();
  source = null;
  // A browser allows six connections to a host: pages that nobody looks at give theirs up.
  if (document.hidden) return;
  source = new EventSource(`/_localstalk/ui/stream?environment=${encodeURIComponent(chosen())}`);
  source.onopen = () => say("connected", "open");
  source.onerror = () => {
    // Refused, not lost: another daemon, which did not give the link that opened this page.
    if (source.readyState === EventSource.CLOSED) say("localstalk ui prints a new link to this page", "lost");
    else say("localstalk does not answer; trying again", "lost");
  };
  source.onmessage = (event) => show(JSON.parse(event.data));
}

// The token in the link is used up: without it, the address can be reloaded.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

addEventListener("hashchange", () => {
  moved = true;
  connect();
});
addEventListener("visibilitychange", connect);
byId("filter").addEventListener("input", filter);
connect();
