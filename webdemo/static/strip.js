/** The rank that a query had among the suggestions, prefix by prefix, with the session and without. */

import { element } from "./dom.js";

const RANKS = 10; // suggestions that are looked through
const LONGEST = 40; // code points of a query that are followed

export class RankStrip {
  #body;
  #url;
  #comparing = false;
  #newest = 0;
  #drawn = null;

  /** `url`: where many completions can be asked for at once. */
  constructor(body, url) {
    this.#body = body;
    this.#url = url;
  }

  /** Say whether the ranks without session are shown too. */
  compare(on) {
    this.#comparing = on;
    if (this.#drawn) this.#draw(this.#drawn);
  }

  /** Show the ranks of `query`, searched for after the queries `prev`. */
  async show(query, prev) {
    const number = ++this.#newest;
    const points = Array.from(query).slice(0, LONGEST);
    const prefixes = ["", ...points.map((_, i) => points.slice(0, i + 1).join(""))];
    try {
      const [withSession, without] = await Promise.all([this.#ranks(query, prefixes, prev), this.#ranks(query, prefixes, [])]);
      if (number !== this.#newest) return;
      this.#drawn = { query, points, withSession, without, hasSession: prev.length > 0 };
      this.#draw(this.#drawn);
    } catch {
      if (number !== this.#newest) return;
      this.#body.replaceChildren(element("p", { class: "hint" }, "The server cannot be reached: no ranks to show."));
    }
  }

  async #ranks(query, prefixes, prev) {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ requests: prefixes.map((prefix) => ({ prefix, prev, k: RANKS })) }),
    });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    const wanted = folded(query);
    const { results } = await response.json();
    return results.map(({ completions }) => completions.findIndex((c) => folded(c.text) === wanted) + 1);
  }

  #draw({ query, points, withSession, without, hasSession }) {
    const comparing = this.#comparing && hasSession;
    const table = element(
      "table",
      {},
      element("caption", { class: "visually-hidden" }, `Rank of “${query}” among ${RANKS} suggestions, letter by letter`),
      element("thead", {}, row("typed", ["start", ...points.map(visible)].map((c) => element("th", { scope: "col" }, c)))),
      element(
        "tbody",
        {},
        row(hasSession ? "with session" : "rank", withSession.map(cell)),
        ...(comparing ? [row("no session", without.map(cell))] : []),
      ),
    );
    const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Ranks, letter by letter" }, table);
    const name = element("b", { dir: "auto" }, query);
    const summary = element("p", { class: "summary" }, name, ` ${sentence(withSession)}`);
    if (hasSession) summary.append(element("span", { class: "muted" }, ` With no session: ${sentence(without)}`));
    this.#body.replaceChildren(summary, scroll);
  }
}

/** How the model may write it: near enough to its normal form to find a query again. */
function folded(text) {
  return text.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ");
}

function visible(character) {
  return character === " " ? "␣" : character;
}

function row(name, cells) {
  return element("tr", {}, element("th", { scope: "row" }, name), ...cells);
}

function cell(rank) {
  const band = rank === 0 ? "none" : rank === 1 ? "first" : rank <= 3 ? "top" : "listed";
  const shown = rank || element("span", {}, element("span", { "aria-hidden": "true" }, "–"), hidden("not there"));
  return element("td", { "data-band": band }, shown);
}

function hidden(text) {
  return element("span", { class: "visually-hidden" }, text);
}

function sentence(ranks) {
  const [there, first] = [ranks.findIndex((r) => r > 0), ranks.indexOf(1)];
  if (there < 0) return "was not suggested.";
  const soonest = `suggested ${after(there)}`;
  if (first < 0) return `${soonest}, never first.`;
  return first === there ? `${soonest}, first at once.` : `${soonest}, first ${after(first)}.`;
}

function after(characters) {
  if (characters === 0) return "before the first letter";
  return characters === 1 ? "after 1 letter" : `after ${characters} letters`;
}
