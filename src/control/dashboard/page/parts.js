// A frame → the page. Everything that is written goes through `write`, `name` or `plain`.

import { bar, byId, draw, line, make, mark, name, none, plain, rows, write } from "./dom.js";
import { count, millis, moment, part, pieces, rate, say, span, spoken, time } from "./words.js";

const SIGNS = { good: "✓", warning: "!", bad: "×" };
const HOUR = 3600;

export function show(frame) {
  write(byId("node"), frame.node);
  document.title = `${frame.state === "good" ? "" : `${SIGNS[frame.state]} `}${plain(frame.node)} · Kakehashi`;
  state(frame);
  figures(frame);
  latency(frame.latency);
  parts(byId("sources"), frame.sources.filter(({ rate }) => rate > 0), (one) => say(`source.${one.name}`));
  parts(byId("rcodes"), frame.rcodes, (one) => one.name);
  upstreams(frame);
  top(byId("names"), frame.tops.names, frame.tops.queries, "none.yet");
  top(byId("failing"), frame.tops.failing, frame.tops.queries, "none.failing");
  top(byId("clients"), frame.tops.clients, frame.tops.queries, "none.yet");
  const covered = frame.tops.seconds ? say("span", { time: span(frame.tops.seconds) }) : "";
  document.querySelectorAll(".note.span").forEach((note) => write(note, covered));
  views(frame);
  routes(frame);
  alerts(frame);
  configuration(frame);
  write(byId("foot"), say("foot", { version: frame.version, workers: frame.workers }));
}

// Puts a sentence together; what is put in keeps to itself.
function sentence(element, key, values) {
  const wanted = plain(JSON.stringify([spoken(), key, values]));
  if (element.dataset.says === wanted) return;
  element.dataset.says = wanted;
  element.replaceChildren(...pieces(key).map((piece) => (Array.isArray(piece) ? name(values[piece[0]] ?? "") : piece)));
}

function state(frame) {
  const box = byId("state");
  mark(box, "data-level", frame.state);
  write(byId("state-sign"), SIGNS[frame.state]);
  write(byId("state-heading"), say(`state.${frame.state}`));
  const [all, up] = frame.servers;
  const facts = [
    all ? say("facts.servers", { all: count(all), up: count(up) }) : say("facts.servers.none"),
    say(frame.zones[0] === 1 ? "facts.zones.one" : "facts.zones", { zones: count(frame.zones[0]), records: count(frame.zones[1]) }),
    say("facts.uptime", { time: span(frame.uptime_seconds) }),
  ];
  write(byId("state-facts"), facts.join(" · "));
  const concerns = frame.concerns.map((concern) => ({ ...concern }));
  if (frame.concerns_left) concerns.push({ code: "left", level: "warning", number: frame.concerns_left });
  rows(byId("concerns"), concerns, concernLine, (row, concern) => {
    row.className = concern.level;
    const [level, words, since] = row.children;
    write(level, say(`level.${concern.level}`));
    const share = concern.code === "many-servfail";
    const number = share ? part(concern.number) : count(concern.number);
    sentence(words, `c.${concern.code}`, { subject: concern.subject, object: concern.object, number });
    const known = concern.since !== null && concern.since !== undefined;
    const ago = known ? span(frame.time - concern.since) : "";
    write(since, known ? say("since", { time: moment(concern.since, frame.time), ago }) : "");
  });
  // Said aloud when something else is wrong than before; not each time that a number moves.
  const concerned = frame.concerns.map((one) => [one.code, one.subject, one.object]);
  const about = plain(JSON.stringify([spoken(), frame.state, ...concerned]));
  const aloud = byId("state-spoken");
  if (aloud.dataset.about !== about) {
    aloud.dataset.about = about;
    const lines = [...byId("concerns").children].map((row) => row.children[1].textContent);
    write(aloud, [say(`state.${frame.state}`), ...lines].join(". "));
  }
}

function concernLine() {
  const row = make("li");
  row.append(make("b"), make("span"), make("span", "since"));
  return row;
}

function figures(frame) {
  const [, qps, hit, servfail, p95] = frame.point ?? [];
  write(byId("f-qps"), rate(qps));
  write(byId("f-hit"), part(hit));
  write(byId("f-p95"), time(p95));
  write(byId("f-servfail"), part(servfail));
  write(byId("f-waiting"), count(frame.in_flight));
  write(byId("f-tcp"), count(frame.tcp_connections));
}

function latency(lines) {
  rows(byId("latency"), lines, line(["", "n", "n", "n", "n"]), (row, one) => {
    const texts = [say(`latency.${one.of}`), rate(one.rate), millis(one.p50), millis(one.p95), millis(one.p99)];
    texts.forEach((text, at) => write(row.children[at], text));
  });
}

function parts(body, list, label) {
  const all = list.reduce((sum, one) => sum + one.rate, 0);
  if (!list.length) return none(body, 3, say("none.traffic"));
  rows(body, list, line(["", "n", "n"]), (row, one) => {
    [label(one), rate(one.rate), part(one.rate / all)].forEach((text, at) => write(row.children[at], text));
    bar(row, one.rate / all);
  });
}

function top(body, list, all, nothing) {
  if (!list.length) return none(body, 3, say(nothing));
  rows(body, list, line(["code", "n", "n"]), (row, one) => {
    const cell = row.firstElementChild;
    if (!cell.firstElementChild) cell.append(name(""));
    write(cell.firstElementChild, one.what);
    const number = count(one.count);
    write(row.children[1], number);
    mark(row.children[1], "title", one.over ? say("over", { count: number, over: count(one.over) }) : number);
    write(row.children[2], part(all ? one.count / all : 0));
    bar(row, all ? one.count / all : 0);
  });
}

function upstreams(frame) {
  const body = byId("upstreams");
  const servers = frame.upstreams.flatMap((group) => group.servers.map((server) => ({ group: group.name, ...server })));
  write(byId("upstreams-left"), frame.upstreams_left ? say("left", { number: frame.upstreams_left }) : "");
  if (!servers.length) return none(body, 8, say("none.upstreams"));
  rows(body, servers, serverLine, (row, server) => {
    const [group, address, words, strip, flaps, usual, asked, failing] = row.children;
    write(group.firstElementChild, server.group);
    write(address.firstElementChild, server.address);
    write(address.lastElementChild, server.backup ? say("backup") : "");
    words.className = `server-state ${server.state}`;
    const since = server.changes.at(-1);
    write(words.firstElementChild, say(`state.${server.state}`));
    write(words.lastElementChild, since ? say("since", { time: moment(since[0], frame.time), ago: span(frame.time - since[0]) }) : "");
    timeline(strip.firstElementChild, server, frame);
    [[flaps, "flaps", say("times", { number: server.flaps })], [usual, "latency.usual", time(server.latency_ms)],
      [asked, "rate", rate(server.rate)], [failing, "failing", rate(server.failing)]].forEach(([cell, label, text]) => {
      write(cell, text);
      mark(cell, "data-label", say(label));
    });
  });
}

function serverLine() {
  const row = line(["", "code", "server-state", "strip", "n", "n", "n", "n"])();
  const [group, address, words, strip] = row.children;
  group.append(name(""));
  address.append(name(""), make("span", "sub"));
  words.append(make("span"), make("span", "sub"));
  strip.append(draw("svg", { class: "timeline", role: "img", viewBox: `0 0 ${HOUR} 18`, preserveAspectRatio: "none" }));
  return row;
}

// The last hour: a low line while it was up, a full block while it was down, a faint line before the server began.
function timeline(svg, server, frame) {
  const from = frame.time - HOUR;
  const began = frame.time - frame.uptime_seconds;
  const pieces = [];
  let at = Math.max(from, began);
  // Before the first change that is known it was the other way round.
  let up = server.changes.length ? !server.changes[0][1] : server.state !== "down";
  if (began > from) pieces.push(["unknown", from, began]);
  for (const [when, after] of server.changes) {
    if (when > at) pieces.push([up ? "up" : "down", at, when]);
    at = Math.max(at, when);
    up = after;
  }
  pieces.push([up ? "up" : "down", at, frame.time]);
  const down = pieces.filter(([kind]) => kind === "down").reduce((sum, [, start, end]) => sum + end - start, 0);
  const says = down || server.flaps
    ? say("timeline.says", { times: say("times", { number: server.flaps }), time: span(down) })
    : say("timeline.up");
  mark(svg, "aria-label", says);
  svg.replaceChildren(...pieces.map(([kind, start, end]) => {
    const [y, height] = kind === "down" ? [0, 18] : kind === "up" ? [12, 4] : [13, 2];
    // A fall of a second is to be seen, too.
    const width = Math.max(end - start, kind === "down" ? 14 : 0);
    return draw("rect", { class: kind, x: (start - from).toFixed(1), y, width: width.toFixed(1), height });
  }));
}

function views(frame) {
  const most = Math.max(...frame.views.map((view) => view.rate), 0);
  rows(byId("views"), frame.views, line(["", "n", "n", "n"]), (row, view) => {
    nameCell(row.firstElementChild, view.name, "");
    [count(view.networks), rate(view.rate), count(view.queries)].forEach((text, at) => write(row.children[at + 1], text));
    bar(row, most ? view.rate / most : 0);
  });
  write(byId("views-left"), frame.views_left ? say("left", { number: count(frame.views_left) }) : "");
}

function routes(frame) {
  const most = Math.max(...frame.routes.map((route) => route.rate), 0);
  rows(byId("routes"), frame.routes, line(["", "wide", "n", "n"]), (row, route) => {
    const same = route.label === route.domain || `${route.label}.` === route.domain;
    nameCell(row.firstElementChild, route.label, same ? "" : route.domain);
    sentence(row.children[1], route.target ? "kind.forward.to" : `kind.${route.kind}`, { target: route.target });
    write(row.children[2], rate(route.rate));
    write(row.children[3], count(route.queries));
    bar(row, most ? route.rate / most : 0);
  });
  write(byId("routes-left"), frame.routes_left ? say("left", { number: count(frame.routes_left) }) : "");
}

function nameCell(cell, text, below) {
  if (!cell.firstElementChild) cell.append(name(""), name("", "sub"));
  write(cell.firstElementChild, text);
  write(cell.lastElementChild, below);
}

function alerts(frame) {
  if (!frame.alerts.length) return none(byId("alerts"), 0, say("none.alerts"));
  rows(byId("alerts"), frame.alerts, listLine, (row, alert) => {
    write(row.children[0], moment(Date.parse(alert.time) / 1000, frame.time));
    write(row.children[1], alert.kind);
    write(row.children[2], `${alert.subject}: ${alert.evidence}`);
  });
}

function configuration(frame) {
  const [file, since] = frame.configuration;
  sentence(byId("configuration"), "configuration", { file, time: moment(Date.parse(since) / 1000, frame.time) });
  if (!frame.reloads.length) none(byId("reloads"), 0, say("reload.none"));
  else rows(byId("reloads"), frame.reloads, listLine, (row, reload) => {
    write(row.children[0], moment(Date.parse(reload.time) / 1000, frame.time));
    row.children[1].className = reload.result;
    write(row.children[1], say(`reload.${reload.result}`));
    write(row.children[2], reload.reasons.slice(0, 3).join("; "));
  });
  rows(byId("caches"), frame.caches, line(["", "n", "n"]), (row, cache) => {
    const fill = cache.capacity_bytes ? cache.bytes / cache.capacity_bytes : 0;
    [say(`cache.${cache.name}`), count(cache.entries), part(fill)].forEach((text, at) => write(row.children[at], text));
    bar(row, fill);
  });
}

function listLine() {
  const row = make("li");
  row.append(make("span", "when"), make("b"), name(""));
  return row;
}
