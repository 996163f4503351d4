/** The path through the tree that leads to a suggestion, drawn, and the same told in words for who does not see it. */

import { element, percent, svg } from "./dom.js";

const WAIT_MS = 80; // arrows and pointers pass over many suggestions
const PUSHES = 4; // strongest features shown of a step

export class WhyPanel {
  #title;
  #body;
  #url;
  #k;
  #timer;
  #controller = new AbortController();
  #wanted = "";
  #drawn = null;

  /** `section`: holds a heading and the body. `url`: where explanations are asked for. `k`: suggestions asked for. */
  constructor(section, url, k) {
    this.#title = section.querySelector("h2");
    this.#body = section.querySelector("h2 + div");
    this.#url = url;
    this.#k = k;
    let width = 0;
    new ResizeObserver(() => {
      if (this.#drawn && this.#body.clientWidth !== width) this.#draw();
      width = this.#body.clientWidth;
    }).observe(this.#body);
  }

  /** Explain the completion `text` of `answer`; without a text there is nothing to explain. */
  show(text, { prefix, prev }) {
    const parameters = new URLSearchParams({ prefix, text: text ?? "", k: this.#k });
    for (const query of prev) parameters.append("prev", query);
    if (this.#wanted === `${parameters}`) return;
    this.#wanted = `${parameters}`;
    clearTimeout(this.#timer);
    this.#controller.abort();
    if (text) this.#timer = setTimeout(() => this.#ask(parameters), WAIT_MS);
    else this.#hint("Nothing was suggested, so there is nothing to explain.");
  }

  async #ask(parameters) {
    this.#controller = new AbortController();
    try {
      const response = await fetch(`${this.#url}?${parameters}`, { signal: this.#controller.signal });
      if (!response.ok) throw new Error(`answered ${response.status}`);
      const { explanation } = await response.json();
      if (this.#wanted !== `${parameters}`) return;
      this.#drawn = explanation;
      this.#draw();
    } catch {
      if (this.#wanted !== `${parameters}`) return;
      this.#wanted = ""; // may be asked again
      this.#hint("No explanation came from the server.");
    }
  }

  #hint(text) {
    this.#drawn = null;
    this.#title.replaceChildren("Why?");
    this.#body.replaceChildren(element("p", { class: "hint" }, text));
  }

  #draw() {
    const { text, steps } = this.#drawn;
    const pushed = steps.some((step) => step.pushes.length > 0);
    this.#title.replaceChildren("Why ", element("q", {}, element("bdi", {}, text)), "?");
    this.#body.replaceChildren(
      element("p", { class: "summary" }, facts(this.#drawn, pushed)),
      ...(steps.length ? [drawPath(steps, Math.max(NARROWEST, this.#body.clientWidth)), key(pushed), told(steps)] : []),
      ...shares(this.#drawn),
    );
  }
}

/** How often the query was made, and what besides the tree had a say. */
function facts({ count, recalled, meant, repeats, prior, probability, steps }, pushed) {
  const facts = [];
  if (meant !== null) facts.push(`What was typed is read as “${meant}”.`);
  if (count === 0 && recalled > 0) facts.push("The log does not know it: this session asked it before.");
  else if (count === 0) facts.push("Nobody has searched for this: it is composed, word by word.");
  else facts.push(`Searched for ${count === 1 ? "once" : `${Math.round(count).toLocaleString("en")} times`} in the log.`);
  if (pushed) {
    facts.push(`Its share of what starts like this is ${percent(prior)} by popularity, ${percent(probability)} in this session.`);
  } else if (steps.length) facts.push(`Its share of what starts like this is ${percent(probability)}, by popularity alone.`);
  if (repeats) facts.push("It is the last query itself: seldom wanted again, so it stands lower.");
  return facts.join(" ");
}

/** The steps in words. */
function told(steps) {
  const items = steps
    .filter((step) => step.alternatives > 1)
    .map((step) => {
      const shares = step.pushes.length
        ? `${percent(step.prior)} by popularity, ${percent(step.probability)} with the session`
        : percent(step.probability);
      const pushes = step.pushes.slice(0, PUSHES).map((push) => `${name(push)} ${signed(push.weight)}`);
      const pushed = pushes.length ? `; pushed by ${pushes.join(", ")}` : "";
      return element("li", {}, `${step.what}, one of ${step.alternatives}: ${shares}${pushed}`);
    });
  return element("ol", { class: "visually-hidden" }, ...items);
}

function name({ text, kind }) {
  if (kind === "bias") return "in general";
  return kind === "prefix" ? `typed “${text}”` : text;
}

function signed(weight) {
  return `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(1)}`;
}

function key(pushed) {
  const entries = [["now", pushed ? "with this session" : "share"]];
  if (pushed) entries.push(["before", "by popularity alone"], ["push", "session words, log-odds"]);
  return element(
    "p",
    { class: "key", "aria-hidden": "true" },
    ...entries.map(([mark, text]) => element("span", {}, element("i", { class: mark }), text)),
  );
}

/** What the score is made of. */
function shares({ score, composed, recalled, steps }) {
  const parts = [
    ["index", "known queries", steps.length ? Math.max(0, 1 - composed - recalled) : 0],
    ["composed", "composer", composed],
    ["session", "this session", recalled],
  ].filter(([, , share]) => share >= 0.001);
  const bar = element("div", { class: "shares", "aria-hidden": "true" });
  for (const [source, , share] of parts) {
    const part = element("i", { "data-source": source });
    part.style.flexGrow = share;
    bar.append(part);
  }
  const list = element(
    "dl",
    { class: "parts" },
    ...parts.map(([source, label, share]) =>
      element("div", {}, element("dt", {}, element("i", { "data-source": source }), label), element("dd", {}, percent(share))),
    ),
  );
  return [element("h3", {}, `Score ${percent(score)}, of which`), bar, list];
}

const NARROWEST = 220; // for which to draw; less there is only while nothing is seen of it
const MARGIN = 18; // between the path and what is written beside it
const TOP = 14; // of the picture, to the middle of the first node
const APART = 40; // from what is written beside a node to the next one
const SHARES = 30; // height of the bar that shows a choice
const TAG = 26; // height of a row of pushes
const BRANCH = 13; // from one branch that was not taken to the next
const FAN_HEIGHT = 64;

/** The path from the top of the tree to a query, a row for each step. */
function drawPath(steps, width) {
  const fan = width < 400 ? 3 : 6; // branches not taken that there is room for
  const x = BRANCH * fan + 8; // of the path
  const left = x + MARGIN; // of what is written beside it
  const picture = svg("svg", { class: "path", width, "aria-hidden": "true" });
  const branches = svg("g", { class: "branches" });
  const nodes = svg("g", {});
  let above = TOP;
  let bottom = TOP; // of what is written beside the node above
  nodes.append(
    svg("circle", { class: "node", cx: x, cy: TOP, r: 5 }),
    svg("text", { class: "kind", x: left, y: TOP + 4 }, "all queries"),
  );
  for (const step of steps) {
    const y = bottom + APART;
    branches.append(...notTaken(Math.min(step.alternatives - 1, fan), x, Math.max(above, y - FAN_HEIGHT), y));
    branches.append(svg("path", { class: "taken", d: `M${x} ${above}V${y}` }));
    nodes.append(svg("circle", { class: `node ${step.kind}`, cx: x, cy: y, r: step.kind === "query" ? 7 : 5 }));
    bottom = y + describeStep(nodes, step, left, y, width - left);
    above = y;
  }
  picture.append(branches, nodes);
  picture.setAttribute("height", bottom + TOP);
  return picture;
}

/** Branches beside the path, fainter the further they reach. */
function notTaken(count, x, above, y) {
  return Array.from({ length: count }, (_, i) => {
    const end = x - BRANCH * (i + 1);
    const middle = (above + y) / 2;
    return svg(
      "g",
      { opacity: 1 - i / (count + 1) },
      svg("path", { d: `M${x} ${above}C${x} ${middle} ${end} ${middle} ${end} ${y}` }),
      svg("circle", { cx: end, cy: y, r: 2.5 }),
    );
  });
}

/** Write beside a node what it stands for; return the height that takes below the node's middle. */
function describeStep(group, step, left, y, space) {
  const kind = step.kind + (step.alternatives > 1 ? `, 1 of ${step.alternatives}` : "");
  const what = step.kind === "cluster" ? step.what.replace("cluster of ", "") : step.what;
  const label = svg("text", { class: "what", x: left, y: y + 5 }, shortened(what, 14, space - textWidth(kind, 12) - 12));
  label.append(svg("title", {}, step.what));
  group.append(label, svg("text", { class: "kind", x: left + space, y: y + 4, "text-anchor": "end" }, kind));
  if (step.alternatives < 2) return 0;

  const pushed = step.pushes.length > 0;
  const shares = pushed ? `${percent(step.prior)} → ${percent(step.probability)}` : percent(step.probability);
  const bar = space - textWidth("0.00 % → 99.9 %", 12) - 12;
  const top = y + 17;
  group.append(
    svg("rect", { class: "track", x: left, y: top, width: bar, height: 8, rx: 4 }),
    svg("rect", { class: "now", x: left, y: top, width: Math.max(4, bar * step.probability), height: 8, rx: 4 }),
    svg("text", { class: "shares-text", x: left + space, y: top + 8, "text-anchor": "end" }, shares),
  );
  if (pushed) group.append(svg("rect", { class: "before", x: left + bar * step.prior - 1, y: top - 3, width: 2, height: 14 }));
  return SHARES + tags(group, step.pushes, left, y + SHARES + 6, space);
}

/** The features that pushed, in as many rows as they need; return the height of those. */
function tags(group, pushes, left, y, space) {
  let used = 0;
  let rows = pushes.length ? 1 : 0;
  for (const push of pushes.slice(0, PUSHES)) {
    const amount = signed(push.weight);
    const text = shortened(name(push), 12, space - 60);
    const width = Math.min(textWidth(text, 12, 400) + textWidth(` ${amount}`, 12) + 18, space);
    if (used > 0 && used + width > space) {
      used = 0;
      rows += 1;
    }
    const x = left + used;
    const top = y + (rows - 1) * TAG;
    group.append(
      svg("rect", { class: push.weight < 0 ? "tag against" : "tag", x, y: top, width, height: 21, rx: 10.5 }),
      svg("text", { class: "push", x: x + 9, y: top + 15 }, `${text} `, svg("tspan", {}, amount)),
    );
    used += width + 6;
  }
  return rows * TAG;
}

const measure = document.createElement("canvas").getContext("2d");

function textWidth(text, size, weight = 600) {
  measure.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return measure.measureText(text).width;
}

/** `text`, or as much of its beginning as fits. */
function shortened(text, size, space) {
  const points = Array.from(text);
  if (textWidth(text, size) <= space) return text;
  while (points.length > 1 && textWidth(`${points.join("")}…`, size) > space) points.pop();
  return `${points.join("")}…`;
}
