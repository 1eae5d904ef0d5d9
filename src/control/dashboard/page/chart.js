// Lines over the last five minutes, drawn as SVG. Each point is [time, values …]; a gap in time is a gap in the line.

import { draw, write } from "./dom.js";

const SPAN = 300;
const GAP = 3.5;
const EDGE = { top: 8, right: 4, bottom: 18, left: 4 };

export class Chart {
  // `series`: [{ at, className, area }], `top`: the value at the upper edge or nothing for the largest there is,
  // `tell(point)`: what is said of a point, `label`: how a value stands at the edge, `past(seconds)`: how time does.
  constructor(svg, output, options) {
    Object.assign(this, options);
    this.svg = svg;
    this.output = output;
    this.points = [];
    this.pointer = null;
    new ResizeObserver(() => this.paint()).observe(svg);
    svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    svg.addEventListener("pointerleave", () => this.point(null));
  }

  show(points) {
    this.points = points;
    this.paint();
  }

  point(x) {
    this.pointer = x;
    this.paint();
  }

  paint() {
    const width = this.svg.clientWidth;
    const height = this.svg.clientHeight;
    const last = this.points.at(-1);
    if (!width || !last) return;
    const inner = { w: width - EDGE.left - EDGE.right, h: height - EDGE.top - EDGE.bottom };
    const values = this.points.flatMap((point) => this.series.map(({ at }) => point[at] ?? 0));
    const top = this.top ?? nice(Math.max(...values, 1));
    const x = (time) => EDGE.left + inner.w * (1 - (last[0] - time) / SPAN);
    const y = (value) => EDGE.top + inner.h * (1 - Math.min(1, value / top));
    const parts = [0, 0.5, 1].map((part) =>
      draw("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(top * part), y2: y(top * part) }));
    for (const { at, className, area } of this.series) {
      for (const run of runs(this.points, at)) {
        const path = run.map((point, nth) => `${nth ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[at]).toFixed(1)}`).join("");
        if (area) parts.push(draw("path", { class: "area", d: `${path}L${x(run.at(-1)[0]).toFixed(1)} ${y(0)}L${x(run[0][0]).toFixed(1)} ${y(0)}Z` }));
        parts.push(draw("path", { class: className, d: path }));
      }
    }
    parts.push(text(EDGE.left + 2, EDGE.top + 11, this.label(top)));
    for (const back of [240, 120, 0]) {
      const anchor = back === 0 ? "end" : "middle";
      parts.push(text(x(last[0] - back), height - 4, this.past(back), anchor));
    }
    if (this.pointer !== null) {
      const time = last[0] - SPAN * (1 - (this.pointer - EDGE.left) / inner.w);
      const near = this.points.reduce((best, point) => (Math.abs(point[0] - time) < Math.abs(best[0] - time) ? point : best));
      parts.push(draw("line", { class: "at", x1: x(near[0]), x2: x(near[0]), y1: EDGE.top, y2: EDGE.top + inner.h }));
      write(this.output, this.tell(near));
    } else {
      write(this.output, "");
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...parts);
  }
}

function text(x, y, words, anchor) {
  const element = draw("text", { x: x.toFixed(1), y, "text-anchor": anchor ?? "start" });
  element.textContent = words;
  return element;
}

// The unbroken pieces of a line.
function runs(points, at) {
  const pieces = [];
  let before = null;
  for (const point of points) {
    if (point[at] === null) {
      before = null;
      continue;
    }
    if (before && point[0] - before[0] <= GAP) pieces.at(-1).push(point);
    else pieces.push([point]);
    before = point;
  }
  return pieces;
}

// The next of 1, 2, 5, 10, 20, 50 …
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
}
