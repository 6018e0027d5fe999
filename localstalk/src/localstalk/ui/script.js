"use strict";
// Text from the service only ever becomes text nodes: nothing here makes markup out of it.
const LARGEST = 500; // entries kept in the timeline
const WORST_FIRST = ["Red", "Yellow", "Grey", "Green"]; // EB's colours of health
const byId = (id) => document.getElementById(id);
const rows = new Map(); // environment id -> {summary, row}
let source = null;
let moved = false; // by a link, so that the focus has to follow
let tallied = ""; // the health whose environments alone are listed; empty: all
let logOf = ""; // the instance whose log is open

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

// Of a public name the part that is its own; the rest is the same for all of a region.
const prefix = (fqdn) => make("span", { class: "cname", title: fqdn }, fqdn.split(".", 1)[0]);

// What is shown anew must not take the focus from under a keyboard.
function keepFocus(container, render) {
  const focused = container.contains(document.activeElement) ? document.activeElement : null;
  const [name, value] = focused?.hasAttribute("href") ? ["href", focused.getAttribute("href")] : ["data-key", focused?.getAttribute("data-key")];
  render();
  if (focused && value) container.querySelector(`[${name}="${CSS.escape(value)}"]`)?.focus();
}

// --- environments: the worst first ---

function environmentRow(one) {
  const ended = one.status === "Terminated";
  const row = make("tr", { id: `row-${one.id}`, class: ended ? "ended" : null },
    make("th", { scope: "row" }, link(one.id, one.name)),
    make("td", {}, health(one.color, one.health)), make("td", {}, one.status),
    make("td", { class: "fit" }, ended || !one.cname ? "–" : prefix(one.cname)),
    make("td", { class: "fit", title: one.version }, text(one.version)), make("td", { class: "number" }, String(one.instances)),
    make("td", { class: "of", title: `${one.application} · ${one.region}` }, `${one.application} · ${one.region}`));
  if (one.id === chosen()) row.setAttribute("aria-current", "true");
  return row;
}

const rank = (one) => (one.status === "Terminated" ? WORST_FIRST.length : WORST_FIRST.indexOf(one.color));
const order = (one) => [rank(one), one.application, one.name, one.id].join("\n");

function showEnvironments(changed, gone) {
  let sort = false;
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
    }
    sort ||= !known || order(known.summary) !== order(summary);
    rows.set(summary.id, { summary, row });
  }
  if (sort) {
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
    const meant = wanted === "" || Object.values(summary).join("\n").toLowerCase().includes(wanted);
    row.hidden = !meant || (tallied !== "" && summary.health !== tallied);
    if (!row.hidden) shown += 1;
    if (!meant) continue;
    const [color, count] = tally.get(summary.health) || [summary.color, 0];
    tally.set(summary.health, [color, count + 1]);
  }
  if (tallied !== "" && !tally.has(tallied)) {
    // The last one of them is well again, or gone.
    tallied = "";
    filter();
    return;
  }
  byId("count").textContent = shown === rows.size ? `${rows.size}` : `${shown} of ${rows.size}`;
  const worst = ([a, [first]], [b, [second]]) => WORST_FIRST.indexOf(first) - WORST_FIRST.indexOf(second) || (a < b ? -1 : 1);
  keepFocus(byId("tally"), () => byId("tally").replaceChildren(...[...tally].sort(worst).map(tallyButton)));
  byId("nothing").hidden = rows.size > 0;
  byId("environment-table").hidden = rows.size === 0;
}

function tallyButton([status, [color, count]]) {
  const button = make("button", { type: "button", "aria-pressed": String(tallied === status), "data-key": status }, health(color, `${count} ${status}`));
  button.addEventListener("click", () => {
    tallied = tallied === status ? "" : status;
    filter();
  });
  return make("li", {}, button);
}

// --- one environment ---

function showDetail(one) {
  byId("missing").hidden = one !== null;
  byId("facts").replaceChildren();
  byId("leader").textContent = "";
  byId("detail-title").textContent = one === null ? chosen() : one.name;
  keepFocus(byId("fleet-table"), () => byId("fleet-table").tBodies[0].replaceChildren(...(one === null ? [] : one.fleet.map(instanceRow))));
  if (one === null || !one.fleet.some((each) => each.id === logOf)) closeLog();
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
  const leaders = one.fleet.filter((each) => each.leader);
  if (leaders.length) byId("leader").textContent = `Leader of deployment ${leaders[0].led}: ${leaders.map((each) => each.id).join(", ")}`;
  else byId("leader").textContent = "No instance was elected leader of its last deployment.";
}

function instanceRow(one) {
  const mark = one.leader ? make("strong", { class: "leader", title: `elected leader of deployment ${one.led}` }, "leader") : null;
  const causes = one.causes.length ? make("small", { class: "wrap" }, one.causes.join(" ")) : null;
  const deployment = one.deployment === null ? null : make("small", {}, `deployment ${one.deployment}: ${one.deployed}`);
  const logs = make("button", { type: "button", "data-key": one.id, "aria-label": `Logs of ${one.id}` }, "Show");
  logs.addEventListener("click", () => openLog(one.id));
  return make("tr", { id: `instance-${one.id}` },
    make("th", { scope: "row" }, make("span", { class: "id" }, one.id), mark ? " " : null, mark,
      make("small", {}, [one.address, one.zone, one.type].filter(Boolean).join(" · "))),
    make("td", {}, health(one.color, one.health), causes), make("td", { class: "wrap" }, text(one.version), deployment),
    make("td", {}, one.in_service ? "yes" : "no"), make("td", {}, logs));
}

// The tail of all logs of an instance, as EB's tail request has it.
async function openLog(instance) {
  logOf = instance;
  byId("log").hidden = false;
  byId("log-title").textContent = `Logs of ${instance}`;
  byId("log-text").textContent = "reading…";
  byId("log-title").focus();
  const answer = await fetch(`/_localstalk/ui/log?instance=${encodeURIComponent(instance)}`).catch(() => null);
  const tail = answer === null ? "localstalk does not answer." : await answer.text();
  if (logOf !== instance) return; // another one was opened, or this one closed, in the meantime
  byId("log-text").textContent = tail;
  byId("log-text").scrollTop = byId("log-text").scrollHeight;
}

function closeLog() {
  logOf = "";
  byId("log").hidden = true;
}

// --- what happened, newest first: events and swaps in the order of their time ---

function showTimeline(events, swaps) {
  const entries = [...events.map((one) => [one.date, eventRow(one)]), ...swaps.map((one) => [one.date, swapRow(one)])];
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const body = byId("event-table").tBodies[0];
  for (const [, row] of entries) body.prepend(row);
  while (body.rows.length > LARGEST) body.lastElementChild.remove();
}

function eventRow(one) {
  const of = one.environment && one.id ? link(one.id, one.environment) : text(one.application);
  return make("tr", { class: `new ${one.severity}` }, make("td", {}, moment(one.date)), make("td", { class: "kind" }, one.severity),
    make("td", { class: "wrap" }, make("small", { class: "of" }, of), make("span", { class: "message" }, one.message)));
}

function swapRow(one) {
  const sides = one.sides.map((side) => make("span", { class: "side-of-swap" }, link(side.id, side.environment), " from ", prefix(side.before), " to ", prefix(side.after)));
  return make("tr", { class: "new swap" }, make("td", {}, moment(one.date)), make("td", { class: "kind" }, "CNAME swap"), make("td", { class: "wrap" }, ...sides));
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
    byId("timeline-title").textContent = chosen() === "" ? "Timeline" : "Its timeline";
    if (chosen() !== "") showDetail(message.detail || null);
  } else if (message.detail !== undefined) keepFocus(byId("facts"), () => showDetail(message.detail));
  if (message.about || message.environments || message.gone) {
    keepFocus(byId("environment-table"), () => showEnvironments(message.environments || [], message.gone || []));
  }
  showTimeline(message.events || [], message.swaps || []);
  if (message.about) {
    bringIntoView(rows.get(chosen())?.row);
    if (moved) byId(chosen() === "" ? "environments-title" : "detail-title").focus({ preventScroll: chosen() === "" });
    moved = false;
  }
}

// Only within the list: the page stays where it is.
function bringIntoView(row) {
  const list = byId("list");
  if (row && !row.hidden) list.scrollTop = row.offsetTop - list.clientHeight / 2;
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

// --- keys ---

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const writing = event.target instanceof HTMLInputElement && event.target.type === "search";
  if (event.key === "Escape") {
    if (writing) event.target.blur();
    else if (logOf) closeLog();
    else if (chosen()) location.hash = "";
  } else if (!writing && event.key === "/") {
    event.preventDefault();
    byId("filter").focus();
  } else if (!writing && (event.key === "j" || event.key === "k")) step(event.key === "j" ? 1 : -1);
}

function step(by) {
  const links = [...byId("environment-table").querySelectorAll("tbody tr:not([hidden]) a")];
  const here = links.findIndex((each) => each === document.activeElement || each.closest("tr").hasAttribute("aria-current"));
  links[here < 0 ? 0 : Math.min(Math.max(here + by, 0), links.length - 1)]?.click();
}

// The token in the link is used up: without it, the address can be reloaded.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

addEventListener("hashchange", () => {
  moved = true;
  closeLog();
  connect();
});
addEventListener("visibilitychange", connect);
addEventListener("keydown", onKey);
byId("filter").addEventListener("input", filter);
byId("trouble").addEventListener("change", (event) => document.body.classList.toggle("trouble", event.target.checked));
byId("log-again").addEventListener("click", () => openLog(logOf));
byId("log-close").addEventListener("click", closeLog);
connect();
