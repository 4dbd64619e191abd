// What every page has: its data, elements made from text, folds, the panel at the side, light and dark.

const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);

// Text reaches a page through textContent alone; there is no other way in these files.
function make(tag, options, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, call] of Object.entries(value)) element.addEventListener(event, call);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many || `${one}s`}`;

// Characters that cannot be seen, or that turn the direction of what follows, are spelled out.
const HIDDEN = /[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/gu;
const NAMED = { "\n": "↵", "\t": "→", "\r": "␍" };
const spell = (character) => NAMED[character] || `\\u{${character.codePointAt(0).toString(16)}}`;
// `breaks` keeps the line ends behind their signs: "inside" all but a last one, "all" that too.
function visible(text, breaks = "none") {
  const breaksAt = (place) => breaks === "all" || (breaks === "inside" && place < text.length - 1);
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > from) parts.push(text.slice(from, found.index));
    parts.push(make("span", { class: "invisible", text: spell(found[0]) + (found[0] === "\n" && breaksAt(found.index) ? "\n" : "") }));
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

// Something that is built when it is opened.
function fold(summary, build, open) {
  const inside = make("div", { class: "inside" });
  const element = make("details", {}, make("summary", {}, ...summary), inside);
  const fill = () => { if (element.open && !inside.childNodes.length) inside.append(...[build()].flat()); };
  element.addEventListener("toggle", fill);
  if (open) { element.open = true; fill(); }
  return element;
}

// The messages of a conversation; `begins` is the number of messages that are called the beginning, or -1.
function conversation(theCase, begins = -1) {
  const part = (name, value) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
    const shown = text === "" ? [make("span", { class: "empty", text: "empty" })] : visible(text, "inside");
    return make("p", { class: "part" }, name && make("span", { class: "field", text: name }), ...shown);
  };
  const list = make("ol", { class: "conversation" });
  theCase.messages.forEach((message, number) => {
    if (number === begins) list.append(make("li", { class: "border", text: "so far the beginning" }));
    const parts = [];
    if (typeof message.content === "string") parts.push(part("", message.content));
    for (const [name, value] of Object.entries(message)) {
      if (name === "role" || (name === "content" && typeof value === "string")) continue;
      parts.push(part(name, value));
    }
    list.append(make("li", { class: "message" }, make("span", { class: "role", text: message.role }), make("div", {}, ...parts)));
  });
  for (const [name, value] of [["tools", theCase.tools], ["template variables", theCase.variables]]) {
    if (value) list.append(make("li", { class: "message" }, make("span", { class: "role", text: name }), make("div", {}, part("", value))));
  }
  return list;
}

// The address names what is open, so that it can be sent to somebody; a page without an address goes without.
function setAddress(address) {
  try { history.replaceState(null, "", address()); } catch { return; }
}
const announce = (text) => { by("announcement").textContent = text; };

// The panel at the side: `step` goes to the neighbour before (-1) or behind (1), and says whether there is one.
const panel = by("panel");
let closing = () => {};
let step = null;
function openPanel(title, content, { closed, steps } = {}) {
  by("panel-title").textContent = title;
  by("panel-body").replaceChildren(...content);
  closing = closed || (() => {});
  step = steps || null;
  by("previous").hidden = by("next").hidden = !step;
  by("previous").disabled = !step || !step(-1, false);
  by("next").disabled = !step || !step(1, false);
  if (!panel.open) panel.showModal();
  by("panel-title").focus();
  panel.scrollTop = 0;
}
panel.addEventListener("close", () => closing());
panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
by("close").addEventListener("click", () => panel.close());
for (const [id, way] of [["previous", -1], ["next", 1]]) {
  by(id).addEventListener("click", () => {
    if (step) step(way, true);
    if (!by(id).disabled) by(id).focus();
  });
}

// Light and dark. Pages opened from files may have no storage; the choice then lasts as long as the page.
function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem("maskspec-theme");
    localStorage.setItem("maskspec-theme", value);
  } catch { /* storage may be forbidden */ }
  return null;
}
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
function theme(value) {
  if (value) document.documentElement.dataset.theme = value;
  by("theme").textContent = isDark() ? "Light theme" : "Dark theme";
  by("theme").setAttribute("aria-pressed", String(isDark()));
}
by("theme").addEventListener("click", () => { const next = isDark() ? "light" : "dark"; theme(next); stored(next); });
system.addEventListener("change", () => theme());
theme(["light", "dark"].includes(stored()) ? stored() : null);

// On paper nothing can be opened, so folds are.
const MOST_ON_PAPER = 60;
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("main details:not([open])")].slice(0, MOST_ON_PAPER);
  for (const element of unfolded) { element.open = true; element.dispatchEvent(new Event("toggle")); }
});
addEventListener("afterprint", () => { for (const element of unfolded) element.open = false; });

// Filters are drawn with the next frame, however fast somebody types.
function onFilter(form, draw, cleared) {
  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); };
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => { if (cleared) cleared(); soon(); });
}

const ready = () => { document.documentElement.dataset.ready = "yes"; };
