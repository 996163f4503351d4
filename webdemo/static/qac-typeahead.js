/**
 * Suggestions under a search box: a WAI-ARIA combobox with a listbox, asking a qac server.
 *
 *     import { attach } from "./qac-typeahead.js";
 *     attach(document.querySelector("input[type=search]"), { url: "/api/v1/complete" });
 *
 * Two halves. `reduce` says what happens next and touches nothing; `attach` carries it out in the page.
 * The text in the box is always the user's own: moving through the suggestions does not change it, taking one does.
 */

const DEBOUNCE_MS = 60;
const SLOW_MS = 1000;
const TIMEOUT_MS = 10_000;
const RETRY_MS = [1000, 2000, 4000, 8000];
// Screen readers speak what is typed; a count that comes sooner would cut them off.
const ANNOUNCE_MS = 800;

const MESSAGES = {
  label: "Suggestions",
  count: (n) => (n === 1 ? "1 suggestion" : `${n} suggestions`) + ", up and down arrows to choose.",
  none: "No suggestions.",
  slow: "Still waiting for suggestions…",
  failed: "Suggestions cannot be reached just now. What you typed is kept; trying again.",
  refused: "No suggestions for this text.",
};

/** The state of a box in which nothing was typed. */
export const INITIAL = Object.freeze({
  text: "",
  items: Object.freeze([]),
  open: false,
  active: -1, // which of the items, -1: the user's own text
  composing: false, // an input method is at work: the text is not the user's yet
  request: 0, // number of the newest request; an answer to any other comes late
  waiting: false, // whether its answer is still to come
  failures: 0, // requests that failed in a row
  notice: "", // "", "none", "slow", "failed" or "refused"
});

/**
 * Return the state after an event.
 *
 * input {text, ask}: typed, or pasted; `ask`: whether suggestions are wanted for it · open: wanted, or shown again ·
 * close · move {by} or {to} · accept {index} · clear · composition {active} · retry ·
 * answer {request, items} · slow {request} · failed {request, again}: `again`, whether another try may help.
 */
export function reduce(state, event) {
  switch (event.type) {
    case "input": {
      const typed = { ...state, text: event.text, active: -1, notice: state.notice === "failed" ? "failed" : "" };
      if (state.composing) return typed;
      return event.ask ? asking(typed) : idle(typed);
    }
    case "open":
      return asking(state);
    case "retry":
      return state.notice === "failed" ? asking(state) : state;
    case "close":
      return { ...state, open: false, active: -1, request: state.request + 1, waiting: false, notice: "" };
    case "clear":
      return idle({ ...state, text: "" });
    case "accept":
      return idle({ ...state, text: state.items[event.index].text });
    case "move":
      return state.open ? { ...state, active: moved(state, event) } : state;
    case "composition":
      return { ...state, composing: event.active };
    case "answer":
      return event.request === state.request ? answered(state, event.items) : state;
    case "slow":
      return event.request === state.request && state.waiting && !state.notice ? { ...state, notice: "slow" } : state;
    case "failed": {
      if (event.request !== state.request) return state;
      const stopped = { ...state, items: [], open: false, active: -1, waiting: false };
      if (!event.again) return { ...stopped, notice: "refused" };
      return { ...stopped, notice: "failed", failures: state.failures + 1 };
    }
    default:
      throw new TypeError(`unknown event ${event.type}`);
  }
}

function asking(state) {
  return { ...state, request: state.request + 1, waiting: true };
}

/** Nothing shown, nothing asked, and whatever is under way comes late. */
function idle(state) {
  return { ...INITIAL, text: state.text, composing: state.composing, request: state.request + 1 };
}

function answered(state, items) {
  // An item that was chosen meanwhile, from the answer before, stays chosen while it is there.
  const chosen = state.active < 0 ? null : state.items[state.active].text;
  const active = chosen === null ? -1 : items.findIndex((item) => item.text === chosen);
  const notice = items.length ? "" : "none";
  return { ...state, items, active, open: items.length > 0, waiting: false, failures: 0, notice };
}

function moved(state, { by, to }) {
  if (to !== undefined) return to;
  const places = state.items.length + 1; // the user's own text is one
  return ((state.active + 1 + by + places) % places) - 1;
}

/**
 * Return the queries made in this tab, oldest first, for a site whose searches load a new page.
 * They stay in the tab (sessionStorage) and go when it is closed.
 */
export function tabSession(key = "qac-session", most = 5) {
  const queries = () => {
    try {
      return JSON.parse(sessionStorage.getItem(key)) ?? [];
    } catch {
      return []; // storage is forbidden, or holds what is not ours
    }
  };
  const add = (query) => {
    try {
      sessionStorage.setItem(key, JSON.stringify([...queries().filter((q) => q !== query), query].slice(-most)));
    } catch {
      // No storage: suggestions without session.
    }
  };
  return { queries, add };
}

/** Return a name for this tab, made up at random: it tells searches of one session from another's, not who makes them. */
function tabName(key = "qac-name") {
  const made = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  try {
    const name = sessionStorage.getItem(key) ?? made;
    sessionStorage.setItem(key, name);
    return name;
  } catch {
    return made; // no storage: every search is a session of its own
  }
}

/** Put `text` into `element`; the code points in `ranges`, which the user did not type, are set apart. */
function appendHighlighted(element, text, ranges = []) {
  const points = Array.from(text);
  let done = 0;
  for (const [begin, end] of ranges) {
    element.append(points.slice(done, begin).join(""));
    const untyped = element.ownerDocument.createElement("b");
    untyped.append(points.slice(begin, end).join(""));
    element.append(untyped);
    done = end;
  }
  element.append(points.slice(done).join(""));
}

let attached = 0;

/**
 * Make `input`, a text box, suggest. It sends these events, which bubble:
 *
 * - `qac:answer`, detail: the server's answer and `round_trip_ms`
 * - `qac:active`, detail `{item}`: the suggestion the arrows are on, or null
 * - `qac:accept`, detail `{item}`: the suggestion that was taken
 *
 * @param {HTMLInputElement} input
 * @param {object} options
 * @param {string} options.url            address of the server's `complete`
 * @param {string} [options.record]       address of the server's `accept`: searches are sent there; default: they are not
 * @param {{queries(): string[], add(query: string): void}} [options.session]  earlier queries; default: this tab's
 * @param {number} [options.k]            how many suggestions to show
 * @param {number} [options.minLength]    characters from which on to suggest; 0: as soon as the box has the focus
 * @param {Element} [options.into]        where the list goes; default: right after the input
 * @param {(option: Element, item: object) => void} [options.decorate]  adds to a suggestion's element
 * @param {object} [options.messages]     what is shown and spoken, to translate; see MESSAGES
 * @returns {{refresh(): void, set(text: string): void, detach(): void}}
 */
export function attach(input, options) {
  const { url, record, k = 8, minLength = 1, decorate, session = tabSession() } = options;
  const messages = { ...MESSAGES, ...options.messages };
  const id = `qac-${++attached}`;
  const listeners = new AbortController();
  const view = createView(input, options.into, id, messages, decorate);
  let state = { ...INITIAL, text: input.value };
  let controller = new AbortController();
  let debounce, retry;
  let taken = {}; // what the text in the box was taken from, where it was a suggestion

  function dispatch(event) {
    const before = state;
    state = reduce(before, event);
    if (state === before) return;
    // What the user types is in the box already, and an input method does not like to be written over.
    if (event.type !== "input" && state.text !== before.text) input.value = state.text;
    view.render(state, before);
    if (state.request !== before.request) {
      controller.abort();
      clearTimeout(debounce);
      clearTimeout(retry);
      const number = state.request;
      if (state.waiting) debounce = setTimeout(() => ask(number), event.type === "input" ? DEBOUNCE_MS : 0);
    }
    if (state.failures > before.failures) {
      const pause = RETRY_MS[Math.min(state.failures, RETRY_MS.length) - 1];
      retry = setTimeout(() => dispatch({ type: "retry" }), pause);
    }
    if (state.active !== before.active || state.items !== before.items) {
      emit("active", { item: state.items[state.active] ?? null });
    }
  }

  async function ask(request) {
    const own = (controller = new AbortController());
    const parameters = new URLSearchParams({ prefix: state.text, k });
    for (const query of session.queries()) parameters.append("prev", query);
    const slow = setTimeout(() => dispatch({ type: "slow", request }), SLOW_MS);
    const timeout = setTimeout(() => own.abort(), TIMEOUT_MS);
    const start = performance.now();
    try {
      const response = await fetch(`${url}?${parameters}`, {
        signal: own.signal,
        headers: { Accept: "application/json" },
      });
      if (!response.ok) {
        dispatch({ type: "failed", request, again: response.status >= 500 || response.status === 429 });
        return;
      }
      const answer = await response.json();
      if (request !== state.request) return;
      dispatch({ type: "answer", request, items: answer.completions });
      emit("answer", { ...answer, round_trip_ms: performance.now() - start });
    } catch {
      // No network, no JSON, or given up: where it was for a newer request, this one's number is no longer known.
      dispatch({ type: "failed", request, again: true });
    } finally {
      clearTimeout(slow);
      clearTimeout(timeout);
    }
  }

  function emit(name, detail) {
    input.dispatchEvent(new CustomEvent(`qac:${name}`, { detail, bubbles: true }));
  }

  /** Tell the server what was searched for; whether it hears it is of no matter to the user. */
  function send(query) {
    const body = JSON.stringify({ query, session: tabName(), ...(taken.text === input.value ? taken.of : {}) });
    // keepalive: the page may be left for the results meanwhile.
    fetch(record, { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true }).catch(() => {});
  }

  function typed() {
    dispatch({ type: "input", text: input.value, ask: input.value.length >= minLength });
  }

  function openIfWanted() {
    if (!state.open && !state.waiting && input.value.length >= minLength) dispatch({ type: "open" });
  }

  function accept(index, { submit }) {
    const item = state.items[index];
    taken = { text: item.text, of: { prefix: state.text, rank: index + 1 } };
    dispatch({ type: "accept", index });
    emit("accept", { item });
    if (submit) input.form?.requestSubmit();
  }

  const keys = {
    ArrowDown: (event) => arrow(event, 1),
    ArrowUp: (event) => arrow(event, -1),
    Enter(event) {
      if (state.active >= 0) {
        event.preventDefault();
        accept(state.active, { submit: true });
      } else dispatch({ type: "close" });
    },
    Escape(event) {
      if (!state.open && !state.text) return;
      event.preventDefault();
      dispatch({ type: state.open ? "close" : "clear" });
    },
    Tab() {
      if (state.active >= 0) accept(state.active, { submit: false });
    },
    // These move in the text, and so the choice is given back to it.
    ArrowLeft: () => dispatch({ type: "move", to: -1 }),
    ArrowRight: () => dispatch({ type: "move", to: -1 }),
    Home: () => dispatch({ type: "move", to: -1 }),
    End: () => dispatch({ type: "move", to: -1 }),
  };

  function arrow(event, by) {
    event.preventDefault();
    if (event.altKey) dispatch({ type: by > 0 ? "open" : "close" });
    else dispatch(state.open ? { type: "move", by } : { type: "open" });
  }

  function listen(target, type, handler) {
    target.addEventListener(type, handler, { signal: listeners.signal });
  }

  listen(input, "input", typed);
  listen(input, "keydown", (event) => {
    // 229: a key that an input method has taken (Safari reports its last one after the composition's end).
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey) return;
    if (Object.hasOwn(keys, event.key)) keys[event.key](event);
  });
  listen(input, "compositionstart", () => dispatch({ type: "composition", active: true }));
  listen(input, "compositionend", () => {
    dispatch({ type: "composition", active: false });
    typed();
  });
  listen(input, "focus", openIfWanted);
  listen(input, "click", openIfWanted);
  listen(input, "blur", () => dispatch({ type: "close" }));
  listen(window, "online", () => dispatch({ type: "retry" }));
  // The focus stays in the box, also while a suggestion is being pressed.
  listen(view.list, "mousedown", (event) => event.preventDefault());
  listen(view.list, "click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) accept([...view.list.children].indexOf(option), { submit: true });
  });
  if (input.form) {
    listen(input.form, "submit", () => {
      dispatch({ type: "close" });
      const query = input.value.trim();
      if (!query) return;
      if (record) send(query);
      session.add(query);
    });
  }
  if (document.activeElement === input) openIfWanted();

  return {
    /** Ask again: the session has changed. */
    refresh() {
      if (document.activeElement === input && input.value.length >= minLength) dispatch({ type: "open" });
    },
    /** Put `text` into the box, closed. */
    set(text) {
      dispatch({ type: "input", text, ask: false });
      input.value = text;
    },
    detach() {
      dispatch({ type: "close" });
      listeners.abort();
      view.remove();
    },
  };
}

/** An element with a completion's text, in its own direction, whatever that of the page is. */
export function createText({ text, highlight }) {
  const [place, own] = [element("span", { class: "qac-text" }), element("bdi", {})];
  appendHighlighted(own, text, highlight);
  place.append(own);
  return place;
}

/** The elements, and how they follow the state. */
function createView(input, into, id, messages, decorate) {
  const attributes = {
    role: "combobox",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": `${id}-list`,
  };
  const original = Object.keys(attributes).map((name) => [name, input.getAttribute(name)]);
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);

  const list = element("ul", { id: `${id}-list`, class: "qac-list", role: "listbox", "aria-label": messages.label });
  list.hidden = true;
  const status = element("div", { class: "qac-status", role: "status" });
  if (into) into.append(list, status);
  else input.after(list, status);
  let announcement;

  function renderItems(items) {
    list.replaceChildren(
      ...items.map((item, i) => {
        const option = element("li", { id: `${id}-${i}`, role: "option", "aria-selected": "false" });
        option.append(createText(item));
        decorate?.(option, item);
        return option;
      }),
    );
  }

  function renderActive(active) {
    for (const [i, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(i === active));
    if (active < 0) {
      input.removeAttribute("aria-activedescendant");
    } else {
      input.setAttribute("aria-activedescendant", `${id}-${active}`);
      list.children[active].scrollIntoView({ block: "nearest" });
    }
  }

  /** Notices are seen and spoken, how many there are is only spoken. */
  function renderStatus({ notice, items, open }) {
    clearTimeout(announcement);
    status.classList.toggle("qac-notice", notice !== "");
    if (notice) status.textContent = messages[notice];
    else {
      status.textContent = "";
      if (open) announcement = setTimeout(() => (status.textContent = messages.count(items.length)), ANNOUNCE_MS);
    }
  }

  return {
    list,
    render(state, before) {
      if (state.items !== before.items) renderItems(state.items);
      if (state.items !== before.items || state.active !== before.active) renderActive(state.active);
      input.setAttribute("aria-expanded", String(state.open));
      list.hidden = !state.open;
      if (state.notice !== before.notice || state.items !== before.items || state.open !== before.open) {
        renderStatus(state);
      }
    },
    remove() {
      clearTimeout(announcement);
      list.remove();
      status.remove();
      for (const [name, value] of original) {
        if (value === null) input.removeAttribute(name);
        else input.setAttribute(name, value);
      }
    },
  };
}

function element(name, attributes) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
