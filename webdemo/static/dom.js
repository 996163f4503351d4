/** What the page's modules share: making elements, writing numbers. */

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

/** A share as people read it: two digits, and three next to all. */
export function percent(share) {
  if (share === 0) return "0 %";
  if (share < 0.0001) return "< 0.01 %";
  if (share > 0.99 && share < 0.9995) return `${(100 * share).toFixed(1)} %`;
  return `${precise.format(100 * share)} %`;
}
