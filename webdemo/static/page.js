/** The page: a session of chips around the typeahead, and what it shows about each answer. */

import { attach, createText } from "./qac-typeahead.js";
import { element, percent } from "./dom.js";
import { Chips } from "./chips.js";
import { RankStrip } from "./strip.js";
import { WhyPanel } from "./why.js";

const SOURCES = { index: "known", composed: "composed", session: "session", corrected: "corrected" };

const byId = (id) => document.getElementById(id);
const form = byId("ask");
const input = byId("q");
const compare = byId("compare");
const suggestions = byId("suggestions");
const k = Number(form.dataset.shown);
let shown = null; // the answer whose suggestions stand there

byId("rendered")?.remove(); // what the server put there for who has no scripts

const why = new WhyPanel(byId("why"), form.dataset.explain, k);
const strip = new RankStrip(byId("strip-body"), form.dataset.batch);
const chips = new Chips(byId("chips"), {
  most: Number(form.dataset.maxSession),
  removed(query) {
    say(`Removed “${query}”.`);
    input.focus();
    sessionChanged();
  },
});
const typeahead = attach(input, {
  url: form.dataset.complete,
  record: form.dataset.record,
  k,
  minLength: 0,
  into: suggestions,
  session: {
    queries: () => chips.queries(),
    add(query) {
      strip.show(query, chips.queries());
      chips.add(query);
    },
  },
  decorate,
});

function decorate(option, { score, source }) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"));
  bar.firstChild.style.width = `${100 * score}%`;
  option.append(
    element("span", { class: "moved", "aria-hidden": "true" }),
    bar,
    element("span", { class: "score" }, percent(score)),
    " ",
    element("span", { class: "badge", "data-source": source }, SOURCES[source] ?? source),
  );
}

function say(text) {
  byId("said").textContent = text;
}

function sessionChanged() {
  const queries = chips.queries();
  byId("examples").hidden = queries.length > 0;
  const parameters = new URLSearchParams(queries.map((q) => ["prev", q]));
  if (compare.checked) parameters.set("compare", "1");
  history.replaceState(null, "", `?${parameters}`);
  typeahead.refresh();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = input.value.trim();
  if (!query) return;
  typeahead.set("");
  say(`Searched for “${query}”. It is now part of the session.`);
  sessionChanged();
});

for (const example of byId("examples").querySelectorAll("a")) {
  example.addEventListener("click", (event) => {
    event.preventDefault();
    chips.add(example.textContent);
    say(`Added “${example.textContent}” to the session.`);
    input.focus();
    sessionChanged();
  });
}

// A pointer on these leaves the focus in the box, so that the suggestions stay.
for (const area of [form.querySelector(".session"), form.querySelector(".settings")]) {
  area.addEventListener("mousedown", (event) => event.preventDefault());
}

input.addEventListener("qac:answer", ({ detail: answer }) => {
  const microseconds = answer.took_us.toLocaleString("en");
  byId("latency").textContent = `model ${microseconds} µs · round trip ${answer.round_trip_ms.toFixed(1)} ms`;
  why.show(answer.completions[0]?.text, answer);
  shown = answer;
  if (compare.checked) showWithout(answer);
});

input.addEventListener("qac:active", ({ detail: { item } }) => {
  const text = item?.text ?? shown?.completions[0]?.text;
  if (text && shown) why.show(text, shown);
});

suggestions.addEventListener("pointerover", (event) => {
  const option = event.target.closest("[role=option]");
  if (option && event.pointerType === "mouse" && shown) {
    why.show(option.querySelector(".qac-text").textContent, shown);
  }
});

compare.addEventListener("change", () => {
  byId("results").classList.toggle("comparing", compare.checked);
  strip.compare(compare.checked);
  sessionChanged();
});

async function showWithout(answer) {
  const parameters = new URLSearchParams({ prefix: answer.prefix, k });
  let completions;
  try {
    const response = await fetch(`${form.dataset.complete}?${parameters}`);
    if (!response.ok) return;
    ({ completions } = await response.json());
  } catch {
    return; // the box itself says that the server cannot be reached
  }
  if (answer !== shown) return;
  const withSession = new Map(answer.completions.map((c, i) => [c.text, i]));
  const rows = completions.map((c) => {
    const score = element("span", { class: "score" }, percent(c.score));
    return element("li", withSession.has(c.text) ? {} : { class: "gone" }, createText(c), score);
  });
  byId("without").replaceChildren(element("ol", { class: "plain-list" }, ...rows));
  const without = new Map(completions.map((c, i) => [c.text, i]));
  for (const [i, option] of [...suggestions.querySelectorAll("[role=option]")].entries()) {
    option.querySelector(".moved").textContent = movement(without.get(answer.completions[i].text), i);
  }
}

/** How a suggestion's place differs from the one it has without session. */
function movement(before, now) {
  if (before === undefined) return "▲ new";
  if (before === now) return "";
  return before > now ? `▲ ${before - now}` : `▼ ${now - before}`;
}

strip.compare(compare.checked);
if (matchMedia("(pointer: fine)").matches) input.focus();
