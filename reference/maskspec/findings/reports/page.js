
"use strict";
(() => {
  const run = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const [KIND, VARIANT, DETAIL, MESSAGE, BEGINNING, CONVERSATIONS, CASE, EXCERPTS] = [0, 1, 2, 3, 4, 5, 6, 7];

  // Text reaches the page through textContent alone; there is no other way in this file.
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
  function visible(text) {
    const parts = [];
    let from = 0;
    for (const found of text.matchAll(HIDDEN)) {
      if (found.index > from) parts.push(text.slice(from, found.index));
      parts.push(make("span", { class: "invisible", text: spell(found[0]) + (found[0] === "\n" ? "\n" : "") }));
      from = found.index + found[0].length;
    }
    if (from < text.length) parts.push(text.slice(from));
    return parts;
  }

  const templates = run.templates.map((template, number) => {
    const kinds = [...new Set(template.findings.map((finding) => finding[KIND]))].sort((a, b) => a - b);
    const [collection] = template.name.includes(":") ? template.name.split(":") : ["others"];
    return { ...template, number, kinds: new Set(kinds), said: kinds.map((kind) => run.kinds[kind].title).join(" · "), collection };
  });

  let chosen = null;
  let shown = [];
  let open = null;

  // The kinds, by family, each with the number of templates that it concerns.
  const kindButtons = [];
  function kindList() {
    const list = by("kind-list");
    let family = null;
    run.kinds.forEach((kind, number) => {
      if (!kind.templates) return;
      if (kind.family !== family) list.append(make("h3", { text: (family = kind.family) }));
      const share = make("span", { class: "share", "aria-hidden": "true" });
      share.style.setProperty("--share", `${(100 * kind.templates) / Math.max(1, templates.length)}%`);
      const button = make(
        "button",
        { type: "button", class: "kind", "aria-pressed": "false", "data-kind": kind.name, on: { click: () => choose(chosen === number ? null : number) } },
        make("span", { text: kind.title }),
        make("span", { class: "n", text: kind.templates.toLocaleString("en"), "aria-label": count(kind.templates, "template") }),
        share,
      );
      kindButtons.push([number, button]);
      list.append(button);
    });
    const none = run.kinds.filter((kind) => !kind.templates).map((kind) => kind.title);
    if (none.length) list.append(make("h3", { text: "not found" }), make("p", { class: "muted hint", text: none.join(" · ") }));
  }

  function choose(number) {
    chosen = number;
    for (const [each, button] of kindButtons) button.setAttribute("aria-pressed", String(each === number));
    const box = by("chosen");
    box.hidden = number === null;
    if (number !== null) {
      const kind = run.kinds[number];
      box.replaceChildren(
        make("p", {}, make("strong", { text: kind.title }), " ", make("code", { text: kind.name })),
        make("p", { text: kind.meaning }),
        make("p", { class: "muted", text: kind.remedy }),
      );
    }
    list();
  }

  // The templates: one stop for the tab key, arrow keys inside.
  function list() {
    const name = by("filter-name").value.trim().toLowerCase();
    const collection = by("filter-collection").value;
    shown = templates.filter(
      (each) =>
        (chosen === null || each.kinds.has(chosen)) &&
        (!collection || each.collection === collection) &&
        (!name || each.name.toLowerCase().includes(name)),
    );
    if (by("order").value === "findings") shown.sort((a, b) => b.findings.length - a.findings.length || a.number - b.number);
    by("rows").replaceChildren(...shown.map(row));
    by("rows").hidden = !shown.length;
    by("shown").textContent =
      shown.length === templates.length ? count(templates.length, "template") : `${shown.length.toLocaleString("en")} of ${count(templates.length, "template")}`;
  }
  function row(template, place) {
    const variants =
      chosen === null
        ? template.said || "nothing found"
        : template.findings
            .filter((finding) => finding[KIND] === chosen)
            .map((finding) => run.texts[finding[VARIANT]] || run.texts[finding[DETAIL]])
            .join(" · ");
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", class: "template", tabindex: place ? "-1" : "0", on: { click: () => show(place) } },
        make("span", { class: "name", text: template.name }),
        make("span", { class: "n", text: count(template.findings.length, "finding") }),
        make("span", { class: "of" }, ...visible(variants.replaceAll("\n", " "))),
      ),
    );
  }
  const buttons = () => [...by("rows").querySelectorAll("button")];
  function moveTo(place) {
    const all = buttons();
    const wanted = all[Math.max(0, Math.min(all.length - 1, place))];
    if (!wanted) return;
    for (const each of by("rows").querySelectorAll('[tabindex="0"]')) each.tabIndex = -1;
    wanted.tabIndex = 0;
    wanted.focus();
  }
  by("rows").addEventListener("keydown", (event) => {
    const here = buttons().indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step) moveTo(here + step);
    else if (event.key === "Home") moveTo(0);
    else if (event.key === "End") moveTo(shown.length - 1);
    else return;
    event.preventDefault();
  });

  // One template in full.
  const panel = by("panel");
  function show(place) {
    open = place;
    const template = shown[place];
    by("panel-title").textContent = template.name;
    by("previous").disabled = place === 0;
    by("next").disabled = place === shown.length - 1;
    const lines = [make("p", { class: "muted", text: `${template.origin} · ${count(template.asked, "conversation")} asked, ${template.refused} refused` })];
    if (!template.findings.length) lines.push(make("p", { text: "Nothing was found." }));
    by("panel-body").replaceChildren(...lines, ...template.findings.map(finding));
    if (!panel.open) panel.showModal();
    by("panel-body").scrollTop = 0;
    by("panel-title").focus();
    const first = by("panel-body").querySelector(".chosen h3");
    if (first) first.scrollIntoView();
    else panel.scrollTop = 0;
    history.replaceState(null, "", `#${encodeURIComponent(template.name)}`);
  }
  function finding(record) {
    const kind = run.kinds[record[KIND]];
    const variant = run.texts[record[VARIANT]];
    const theCase = run.cases[record[CASE]];
    const about = record[MESSAGE] < 0 ? "" : `message ${record[MESSAGE]} · `;
    return make(
      "article",
      { class: `finding${record[KIND] === chosen ? " chosen" : ""}`, "data-kind": kind.name },
      make("h3", {}, kind.title, variant ? ": " : null, variant ? make("span", { class: "variant" }, ...visible(variant)) : null),
      make("p", { class: "place", text: `${kind.name} · ${about}${count(record[CONVERSATIONS], "conversation")}` }),
      make("p", { text: kind.meaning }),
      make("p", { class: "explanation calm" }, ...visible(run.texts[record[DETAIL]])),
      make("h4", { text: "Smallest conversation" }),
      conversation(theCase, record[BEGINNING]),
      record[EXCERPTS].length ? make("h4", { text: "What the template prints" }) : null,
      ...record[EXCERPTS].map((numbers) => excerpt(...numbers.map((number) => run.texts[number]))),
      make("p", { class: "remedy", text: kind.remedy }),
    );
  }
  function conversation(theCase, beginning) {
    const items = [];
    theCase.messages.forEach((message, number) => {
      if (number === beginning) items.push(make("li", { class: "border", text: "so far the beginning" }));
      const parts = [];
      for (const [field, value] of Object.entries(message)) {
        if (field === "role") continue;
        const text = typeof value === "string" ? value : JSON.stringify(value);
        const body = text ? visible(text) : [make("span", { class: "empty", text: "empty" })];
        parts.push(make("p", { class: "part" }, field === "content" ? null : make("span", { class: "field", text: field }), ...body));
      }
      items.push(make("li", { class: "message" }, make("span", { class: "role", text: message.role }), make("div", {}, ...parts)));
    });
    const more = [];
    if (theCase.tools) more.push(make("p", { class: "muted", text: `tools: ${theCase.tools.join(", ")}` }));
    if (theCase.variables) more.push(make("p", { class: "muted", text: `template variables: ${JSON.stringify(theCase.variables)}` }));
    return make("div", {}, make("ol", { class: "conversation" }, ...items), ...more);
  }
  function excerpt(label, before, marked, after) {
    return make(
      "p",
      { class: "excerpt" },
      make("span", { class: "label", text: label }),
      ...visible(before),
      make("mark", {}, ...visible(marked)),
      ...visible(after),
    );
  }
  by("previous").addEventListener("click", () => open > 0 && show(open - 1));
  by("next").addEventListener("click", () => open < shown.length - 1 && show(open + 1));
  by("close").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => event.target === panel && panel.close());
  panel.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") by("next").click();
    else if (event.key === "ArrowLeft") by("previous").click();
  });
  panel.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    moveTo(open);
  });

  // Pages opened from files may have no storage.
  function stored(value) {
    try {
      if (value === undefined) return localStorage.getItem("maskspec-theme");
      localStorage.setItem("maskspec-theme", value);
    } catch {
      // The choice then lasts as long as the page.
    }
    return null;
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  function theme(value) {
    if (value) document.documentElement.dataset.theme = value;
    by("theme").textContent = isDark() ? "Light theme" : "Dark theme";
    by("theme").setAttribute("aria-pressed", String(isDark()));
  }
  by("theme").addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    theme(next);
    stored(next);
  });
  system.addEventListener("change", () => theme());
  theme(["light", "dark"].includes(stored()) ? stored() : null);

  for (const name of [...new Set(templates.map((each) => each.collection))]) by("filter-collection").append(make("option", { value: name, text: name }));
  const facts = by("facts").querySelector("dl");
  const fact = (name, value) => facts.append(make("dt", { text: name }), make("dd", { text: value }));
  for (const [name, version] of Object.entries(run.versions)) fact(name, version);
  for (const item of run.missing) fact("not asked", item);
  let drawing = 0;
  by("filters").addEventListener("input", () => {
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(list);
  });
  by("filters").addEventListener("submit", (event) => event.preventDefault());
  by("filters").addEventListener("reset", () => requestAnimationFrame(() => choose(null)));
  kindList();
  list();
  const named = decodeURIComponent(location.hash.slice(1));
  const wanted = shown.findIndex((each) => each.name === named);
  if (wanted >= 0) show(wanted);
  else if (templates.length === 1) show(0);
  document.documentElement.dataset.ready = "";
})();
