// The stream, the switches, and what holds the parts together.

import { Chart } from "./chart.js";
import { byId, mark, write } from "./dom.js";
import * as explain from "./explain.js";
import { show } from "./parts.js";
import { count, moment, part, rate, say, speak, spoken, time, WORDS } from "./words.js";

const PAST = 300;
const AGAIN = 15000;
// A page that nobody sees gives its seat back after this.
const HIDDEN = 30000;
const STALE = 5000;

const points = [];
let frame = null;
let arrived = 0;
let stream = null;
let waiting = null;
let link = "connecting";

const charts = [
  new Chart(byId("chart-qps"), byId("qps-at"), {
    series: [{ at: 1, className: "a", area: true }],
    label: rate, past,
    tell: (point) => say("at.qps", { time: clock(point), qps: rate(point[1]), p95: time(point[4]) }),
  }),
  new Chart(byId("chart-hit"), byId("hit-at"), {
    series: [{ at: 2, className: "a" }, { at: 3, className: "b" }],
    top: 1, label: part, past,
    tell: (point) => say("at.hit", { time: clock(point), hit: part(point[2]), servfail: part(point[3]) }),
  }),
];

const clock = (point) => moment(point[0], point[0]);

function past(seconds) {
  return seconds ? say("ago.minutes", { number: seconds / 60 }) : say("ago.now");
}

function paint() {
  if (!frame) return;
  show(frame);
  charts.forEach((chart) => chart.show(points));
  const last = points.at(-1);
  if (!last) return;
  const all = points.map((point) => point[1]);
  mark(byId("chart-qps"), "aria-label", say("chart.qps.says", { now: rate(last[1]), most: rate(Math.max(...all)), least: rate(Math.min(...all)) }));
  mark(byId("chart-hit"), "aria-label", say("chart.hit.says", { hit: part(last[2]), servfail: part(last[3]) }));
}

function tell(state) {
  link = state;
  mark(byId("link"), "data-link", { live: "live", lost: "lost", full: "lost" }[state] ?? "wait");
  write(byId("link-text"), say(`link.${state}`));
}

function connect() {
  clearTimeout(waiting);
  stream?.close();
  tell("connecting");
  const here = new EventSource("/api/live");
  stream = here;
  here.addEventListener("past", (event) => {
    points.splice(0, points.length, ...JSON.parse(event.data));
  });
  here.addEventListener("now", (event) => {
    frame = JSON.parse(event.data);
    arrived = performance.now();
    if (frame.point) points.push(frame.point);
    while (points.length > PAST) points.shift();
    if (link !== "live") tell("live");
    mark(byId("state"), "data-link", "fresh");
    paint();
  });
  here.addEventListener("error", async () => {
    // While it is still open it comes again by itself. Closed means that it was turned away.
    if (here.readyState !== EventSource.CLOSED || stream !== here) {
      if (stream === here) tell("lost");
      return;
    }
    waiting = setTimeout(connect, AGAIN);
    const head = await fetch("/api/live", { method: "HEAD" }).catch(() => null);
    if (stream === here) tell(head?.status === 503 ? "full" : "lost");
  });
}

function disconnect() {
  clearTimeout(waiting);
  stream?.close();
  stream = null;
  tell("paused");
}

// A picture of what was must not be taken for what is.
setInterval(() => {
  if (!frame || link === "live" && performance.now() - arrived < STALE) return;
  mark(byId("state"), "data-link", "stale");
  write(byId("state-heading"), say("state.stale", { time: moment(frame.time, frame.time), state: say(`state.${frame.state}`) }));
}, 1000);

function words() {
  document.documentElement.lang = spoken();
  document.querySelectorAll("[data-word]").forEach((element) => write(element, say(element.dataset.word)));
  if (!frame) write(byId("state-heading"), say("state.unknown"));
  tell(link);
  explain.again();
  paint();
}

// What was chosen is kept in this browser, where it may be.
function kept(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function begin() {
  const language = kept("language") ?? (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2)).find((tag) => WORDS[tag]) ?? "en";
  speak(language);
  byId("language").value = spoken();
  byId("language").addEventListener("change", (event) => {
    speak(event.target.value);
    kept("language", spoken());
    words();
  });
  const theme = kept("theme") ?? "auto";
  document.documentElement.dataset.theme = theme;
  byId("theme").value = theme;
  byId("theme").addEventListener("change", (event) => {
    document.documentElement.dataset.theme = event.target.value;
    kept("theme", event.target.value);
  });
  const pause = byId("pause");
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    mark(pause, "aria-pressed", String(paused));
    if (paused) disconnect();
    else connect();
  });
  let hidden = null;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (pause.getAttribute("aria-pressed") === "true") return;
    if (document.hidden) hidden = setTimeout(disconnect, HIDDEN);
    else if (!stream) connect();
  });
  explain.begin();
  words();
  connect();
}

begin();
