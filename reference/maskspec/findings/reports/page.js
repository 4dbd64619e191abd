// The page about templates: kinds of findings, and the templates that each concerns.

const [KIND, VARIANT, DETAIL, MESSAGE, BEGINNING, CONVERSATIONS, CASE, EXCERPTS] = [0, 1, 2, 3, 4, 5, 6, 7];

const templates = data.templates.map((template, number) => {
  const kinds = [...new Set(template.findings.map((finding) => finding[KIND]))].sort((a, b) => a - b);
  const [collection] = template.name.includes(":") ? template.name.split(":") : ["others"];
  return { ...template, number, kinds: new Set(kinds), said: kinds.map((kind) => data.kinds[kind].title).join(" · "), collection };
});

let chosen = null;
let shown = [];
let open = null;

// The kinds, by family, each with the number of templates that it concerns.
const kindButtons = [];
function kindList() {
  const list = by("kind-list");
  let family = null;
  data.kinds.forEach((kind, number) => {
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
  const none = data.kinds.filter((kind) => !kind.templates).map((kind) => kind.title);
  if (none.length) list.append(make("h3", { text: "not found" }), make("p", { class: "muted hint", text: none.join(" · ") }));
}

function choose(number) {
  chosen = number;
  for (const [each, button] of kindButtons) button.setAttribute("aria-pressed", String(each === number));
  const box = by("chosen");
  box.hidden = number === null;
  if (number !== null) {
    const kind = data.kinds[number];
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
          .map((finding) => data.texts[finding[VARIANT]] || data.texts[finding[DETAIL]])
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
function show(place) {
  open = place;
  const template = shown[place];
  const lines = [make("p", { class: "muted", text: `${template.origin} · ${count(template.asked, "conversation")} asked, ${template.refused} refused` })];
  if (!template.findings.length) lines.push(make("p", { text: "Nothing was found." }));
  openPanel(template.name, [...lines, ...template.findings.map(finding)], {
    closed() {
      setAddress(() => location.pathname + location.search);
      moveTo(open);
    },
    steps(way, go) {
      if (shown[place + way] && go) show(place + way);
      return Boolean(shown[place + way]);
    },
  });
  const first = by("panel-body").querySelector(".chosen h3");
  if (first) first.scrollIntoView();
  setAddress(() => `#${encodeURIComponent(template.name)}`);
}
function finding(record) {
  const kind = data.kinds[record[KIND]];
  const variant = data.texts[record[VARIANT]];
  const theCase = data.cases[record[CASE]];
  const about = record[MESSAGE] < 0 ? "" : `message ${record[MESSAGE]} · `;
  return make(
    "article",
    { class: `finding${record[KIND] === chosen ? " chosen" : ""}`, "data-kind": kind.name },
    make("h3", {}, kind.title, variant ? ": " : null, variant ? make("span", { class: "variant" }, ...visible(variant, "all")) : null),
    make("p", { class: "place", text: `${kind.name} · ${about}${count(record[CONVERSATIONS], "conversation")}` }),
    make("p", { text: kind.meaning }),
    make("p", { class: "explanation calm" }, ...visible(data.texts[record[DETAIL]], "all")),
    make("h4", { text: "Smallest conversation" }),
    conversation({ ...theCase, tools: theCase.tools && theCase.tools.join(", ") }, record[BEGINNING]),
    record[EXCERPTS].length ? make("h4", { text: "What the template prints" }) : null,
    ...record[EXCERPTS].map((numbers) => excerpt(...numbers.map((number) => data.texts[number]))),
    make("p", { class: "remedy", text: kind.remedy }),
  );
}
function excerpt(label, before, marked, after) {
  return make(
    "p",
    { class: "excerpt" },
    make("span", { class: "label", text: label }),
    ...visible(before, "all"),
    make("mark", {}, ...visible(marked, "all")),
    ...visible(after, "all"),
  );
}
panel.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") by("next").click();
  else if (event.key === "ArrowLeft") by("previous").click();
});

for (const name of [...new Set(templates.map((each) => each.collection))]) by("filter-collection").append(make("option", { value: name, text: name }));
const facts = by("facts").querySelector("dl");
const fact = (name, value) => facts.append(make("dt", { text: name }), make("dd", { text: value }));
for (const [name, version] of Object.entries(data.versions)) fact(name, version);
for (const item of data.missing) fact("not asked", item);
onFilter(by("filters"), list, () => choose(null));
kindList();
list();
const named = decodeURIComponent(location.hash.slice(1));
const wanted = shown.findIndex((each) => each.name === named);
if (wanted >= 0) show(wanted);
else if (templates.length === 1) show(0);
ready();
