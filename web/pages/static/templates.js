// Copies of the page's templates: the HTML stands in the page, the scripts fill it.

export const byId = (id) => document.getElementById(id);

export const copyOf = (name) => byId(`${name}-template`).content.firstElementChild.cloneNode(true);

/** An element with a text. */
export function textElement(name, text, properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}
