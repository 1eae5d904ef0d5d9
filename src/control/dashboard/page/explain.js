// The form that asks why: one read-only request, its answer as steps.

import { byId, make, name, write } from "./dom.js";
import { reason } from "./reasons.js";
import { pieces, say, spoken } from "./words.js";

let last = null;

export function begin() {
  const form = byId("explain");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form);
  });
}

// The same explanation in the language of now.
export function again() {
  if (last) last();
}

async function ask(form) {
  const fields = ["client", "name", "type"];
  const query = new URLSearchParams(fields.map((field) => [field, byId(`e-${field}`).value]));
  let document_ = null;
  let isRight = false;
  try {
    const response = await fetch(`/api/explain?${query}`, { headers: { accept: "application/json" } });
    document_ = await response.json();
    isRight = response.ok;
  } catch {
    // Said below.
  }
  last = () => (isRight ? explained(document_) : wrong(document_));
  fields.forEach((field) => byId(`e-${field}`).removeAttribute("aria-invalid"));
  last();
  if (!isRight && document_) byId(`e-${document_.field}`)?.focus();
}

function wrong(fault) {
  byId("explained").replaceChildren();
  if (!fault) return write(byId("explain-wrong"), say("explain.failed"));
  byId(`e-${fault.field}`)?.setAttribute("aria-invalid", "true");
  write(byId("explain-wrong"), say("explain.wrong", { field: say(fault.field), reason: reason(fault.reason, spoken()) }));
}

function told(tag, className, key, values) {
  const element = make(tag, className);
  element.append(...pieces(key).map((piece) => (Array.isArray(piece) ? name(values[piece[0]] ?? "") : piece)));
  return element;
}

function explained(document_) {
  write(byId("explain-wrong"), "");
  const { client, network, view, qtype } = document_;
  const shown = [
    told("p", "outcome", "explain.answer", { outcome: reason(document_.outcome, spoken()) }),
    network ? told("p", "who", "explain.who", { client, network, view }) : told("p", "who", "explain.nobody", { client }),
  ];
  document_.hops.forEach((hop, nth) => {
    const box = make("div", "hop");
    box.append(told("h3", "", nth ? "explain.then" : "explain.first", { name: hop.name, type: qtype }));
    const list = make("ol");
    list.append(...hop.routes.map((route) => step(route, hop)));
    if (!hop.routes.some((route) => route.fate !== "unseen")) list.append(make("li", "note", say("explain.noroute")));
    box.append(list);
    shown.push(box);
  });
  byId("explained").replaceChildren(...shown);
}

function step(route, hop) {
  const row = make("li", `step ${route.fate === "unseen" ? "unseen-route" : route.fate}`);
  const words = make("div");
  const target = reason(route.target, spoken());
  words.append(name(route.route), " · ", name(target), " · ", name(reason(route.why, spoken())));
  const outside = route.outside;
  if (outside) {
    const servers = outside.servers.map((server) => server.address + (server.role === "backup" ? ` (${say("backup")})` : ""));
    const lines = [
      servers.length ? say("explain.asks", { servers: servers.join(", ") }) : "",
      outside["deadline-ms"] ? say("explain.waits", { each: outside["try-timeout-ms"], all: outside["deadline-ms"] }) : "",
      say("explain.keeps", { ttl: outside["max-ttl"], negative: outside["max-negative-ttl"] }),
    ];
    words.append(make("span", "sub", lines.filter(Boolean).join(" · ")));
  }
  if (route.fate === "won") words.append(...hop.records.map((record) => make("div", "record", record)));
  row.append(make("span", "fate", say(`fate.${route.fate}`)), words);
  return row;
}
