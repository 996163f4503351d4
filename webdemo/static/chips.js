/** The session's queries, oldest first, each with a button that takes it out. */

import { element } from "./dom.js";

export class Chips {
  #list;
  #most;
  #removed;

  /** Takes over the list as the server made it. `most`: queries to keep; `removed(query)`: called after one went. */
  constructor(list, { most, removed }) {
    this.#list = list;
    this.#most = most;
    this.#removed = removed;
    const queries = [...list.querySelectorAll("input")].map((hidden) => hidden.value);
    list.replaceChildren(...queries.map((q) => this.#chip(q)));
  }

  queries() {
    return [...this.#list.querySelectorAll("input")].map((hidden) => hidden.value);
  }

  /** Add a query as the newest; one that was made before moves to the end. */
  add(query) {
    for (const chip of [...this.#list.children]) if (chip.querySelector("input").value === query) chip.remove();
    this.#list.append(this.#chip(query));
    while (this.#list.children.length > this.#most) this.#list.firstElementChild.remove();
  }

  #chip(query) {
    const remove = element("button", { type: "button", "aria-label": `Remove “${query}”` }, "×");
    // Part of the form, for what is sent without scripts' doing.
    const hidden = element("input", { type: "hidden", name: "prev", value: query });
    const chip = element("li", { class: "chip" }, element("span", { dir: "auto" }, query), hidden, remove);
    remove.addEventListener("click", () => {
      chip.remove();
      this.#removed(query);
    });
    return chip;
  }
}
