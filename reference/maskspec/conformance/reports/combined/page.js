// The page of several runs: an overview of maskers and rules, and behind it the page of each run.

const everyRule = [...data.rules.keys()];
const pairNames = [...new Set(data.runs.flatMap((one) => one.pairs.map((pair) => pair.name)))];
const pairsOf = new Map(data.runs.map((one) => [one, new Map(one.pairs.map((pair, number) => [pair.name, number]))]));
const addresses = new Map(data.runs.map((one, number) => {
  // A name that no address can hold has its number.
  try { return [one, encodeURIComponent(one.name)]; } catch { return [one, String(number)]; }
}));
const addressOfMasker = (one, cell) => `#masker=${addresses.get(one)}${cell ? `&cell=${cell}` : ""}`;
const column = (name, style) => make("th", { scope: "col", class: style, text: name });
const number = (value, style = "number") => make("td", { class: style }, value ? value.toLocaleString("en") : make("span", { class: "zero", text: "0" }));

// The maskers, with what was counted.
const STANDINGS = [[FAILED, "not accepted"], [BUG, "bugs"], [KNOWN, "no class"], [POLICY, "policy"], [TEMPLATE, "template"], [TOKENIZER, "tokenizer"]];
function maskerList() {
  const kinds = [...STANDINGS.keys()].filter((at) => data.runs.some((one) => one.standings[at]));
  const shown = ["run", "passed", "failed", "known", "noted", "excluded"].filter((name) => data.runs.some((one) => one.tally[name]));
  const head = make("tr", {}, column("masker"), column("pairs", "number"), ...shown.map((name) => column(name, "number")), ...kinds.map((at) => column(STANDINGS[at][1], "number apart")));
  const lines = data.runs.map((one) => make("tr", {},
    make("td", {}, make("a", { href: addressOfMasker(one), text: one.name }), one.state === "crashed" ? " (incomplete)" : ""),
    number(one.asked), ...shown.map((name) => number(one.tally[name])),
    ...kinds.map((at) => make("td", { class: "number apart" }, ...(one.standings[at] ? [mark(STANDINGS[at][0]), one.standings[at].toLocaleString("en")] : [make("span", { class: "zero", text: "0" })])))));
  by("masker-list").append(make("table", { class: "plain" }, make("thead", {}, head), make("tbody", {}, ...lines)));
}
function versionList() {
  const head = make("tr", {}, column("masker"), ...data.versions.map((name) => column(name)), column("profile"), column("seed", "number"), column("day"), column("time", "number"));
  const lines = data.runs.map((one) => make("tr", {}, make("td", { text: one.name }), ...data.versions.map((name) => make("td", { text: one.versions[name] || "–" })),
    make("td", { text: one.profile }), make("td", { class: "number", text: one.seed }), make("td", { text: one.day || "–" }), make("td", { class: "number", text: seconds(one.seconds) })));
  if (data.command) by("runs").append(make("p", { class: "muted", text: "This page was made with" }), replay(data.command));
  by("version-list").append(make("table", { class: "plain" }, make("thead", {}, head), make("tbody", {}, ...lines)));
}

// The overview: rules or pairs in the rows, maskers in the columns. A cell is as telling as the worst that it stands for.
const acrossChosen = new Set();
let rows = [];
let maskers = [];
const byRules = () => by("across-rows").value === "rules";
const named = (row) => (byRules() ? data.rules[row].id : pairNames[row]);
function standsFor(row, one) {
  if (byRules()) return { rules: [row], pairs: [...one.pairs.keys()] };
  const pair = pairsOf.get(one).get(pairNames[row]);
  return { rules: everyRule, pairs: pair === undefined ? [] : [pair] };
}
const states = new Map();
function totalsAt(row, one) {
  const key = `${byRules()}:${row}:${data.runs.indexOf(one)}`;
  if (!states.has(key)) {
    const { rules, pairs } = standsFor(row, one);
    states.set(key, statesOf(one, pairs, rules));
  }
  return states.get(key);
}
const worst = (totals) => { const found = totals.findIndex(Boolean); return found < 0 ? NOT_ASKED : found; };

const across = grid(by("across-scroller"), {
  label: "How every rule stands with every masker",
  corner: "",
  activate(row, at) {
    if (row === 0) location.hash = addressOfMasker(maskers[at - 1]);
    else if (at === 0) openRow(row);
    else openAcross(row, at);
  },
  describe(row, at) {
    const one = maskers[at - 1];
    const { rules, pairs } = standsFor(rows[row - 1], one);
    return `${named(rows[row - 1])} · ${one.name}\n${inWords(tally(one, pairs, rules).counts) || across.at(row, at).getAttribute("aria-label")}`;
  },
});
function drawAcross() {
  const text = by("across-name").value.trim().toLowerCase();
  const family = by("across-family").value;
  by("across-family-label").hidden = !byRules();
  rows = byRules() ? everyRule.filter((rule) => ruleMatches(data.rules[rule], family, text)) : [...pairNames.keys()].filter((at) => pairNames[at].toLowerCase().includes(text));
  maskers = data.runs;
  if (acrossChosen.size) {
    const met = (row, one) => acrossChosen.has(worst(totalsAt(row, one)));
    rows = rows.filter((row) => data.runs.some((one) => met(row, one)));
    maskers = data.runs.filter((one) => rows.some((row) => met(row, one)));
  }
  by("across-shown").textContent = `${count(rows.length, byRules() ? "rule" : "pair")} × ${count(maskers.length, "masker")}`;
  across.draw({
    columns: maskers.map((one) => ({ name: one.name, title: `${one.name}: ${one.verdict}`, style: one.conflicts.length ? "crashed" : "" })),
    rows: rows.map((row) => (byRules() ? { group: data.rules[row].family, title: data.rules[row].title, head: ruleHead(data.rules[row]) } : { group: "pairs", title: pairNames[row], head: [make("span", { class: "mono", text: pairNames[row] })] })),
    paint(td, row, at) {
      const totals = totalsAt(rows[row], maskers[at]);
      const state = worst(totals);
      paintState(td, state, { dim: acrossChosen.size > 0 && !acrossChosen.has(state), number: state <= NOTED ? totals[state] : 0 });
    },
    nothing: "Nothing matches these filters.",
  });
}
function acrossChips() {
  const totals = STATES.map(() => 0);
  const every = byRules() ? everyRule : [...pairNames.keys()];
  for (const row of every) for (const one of data.runs) totals[worst(totalsAt(row, one))] += 1;
  clearChips(by("across-states"), acrossChosen);
  stateChips(by("across-states"), totals, acrossChosen, drawAcross);
}
onFilter(by("across-filters"), drawAcross, () => requestAnimationFrame(acrossChips));
by("across-rows").addEventListener("change", () => { by("across-name").value = ""; acrossChips(); drawAcross(); });
for (const family of new Set(data.rules.map((rule) => rule.family))) by("across-family").append(make("option", { value: family, text: family }));

// The panel over the overview: one masker and one rule or pair, or all maskers for one of them.
function openAcross(row, at) {
  const one = maskers[at - 1];
  const { rules, pairs } = standsFor(rows[row - 1], one);
  across.moveTo(row, at);
  const link = make("p", { class: "muted" }, make("a", { href: addressOfMasker(one), text: `${one.name} in full` }), ", every rule on every template");
  openPanel(`${named(rows[row - 1])} with ${one.name}`, [link, ...(pairs.length ? behind(one, rules, pairs) : [make("p", { text: "This masker was not asked on this pair." })])], {
    closed: () => across.at(row, at)?.focus(),
    steps(way, go) {
      const next = across.neighbour(row, at, way);
      if (next && go) openAcross(...next);
      return Boolean(next);
    },
  });
}
function openRow(row) {
  const wanted = rows[row - 1];
  const lines = maskers.map((one, at) => {
    const { rules, pairs } = standsFor(wanted, one);
    const state = worst(totalsAt(wanted, one));
    const open = make("button", { type: "button", class: "linked", text: one.name, on: { click: () => openAcross(row, at + 1) } });
    return make("tr", {}, make("td", {}, mark(state)), make("td", {}, open), make("td", { text: inWords(tally(one, pairs, rules).counts) || STATES[state].name }));
  });
  const rule = data.rules[wanted];
  openPanel(`${named(wanted)} with every masker`, [
    ...(byRules() ? [headline(rule), ...statement(rule), make("p", { class: "muted", text: rule.consequence })] : []),
    make("div", { class: "rows" }, make("table", { class: "plain by-masker" }, make("thead", {}, make("tr", {}, make("th"), column("masker"), column("checks"))), make("tbody", {}, ...lines))),
  ], { closed: () => across.at(row, 0)?.focus() });
}

// One masker: the page of its run, and what its users can do.
function adviceOf(one) {
  const spans = (block) => block.spans.map(([text, style, address]) => {
    if (style === "code") return make("code", { text });
    if (style === "strong") return make("strong", { text });
    return style === "link" ? make("a", { href: address, rel: "noreferrer", text }) : text;
  });
  const found = [];
  for (const block of one.advice || []) {
    if (block.shape === "code") found.push(make("pre", { tabindex: "0" }, make("code", { text: block.spans[0][0] })));
    else if (block.shape === "paragraph") found.push(make("p", {}, ...spans(block)));
    else {
      const last = found.at(-1);
      const list = last && last.tagName === "UL" ? last : make("ul");
      if (list !== last) found.push(list);
      list.append(make("li", {}, ...spans(block)));
    }
  }
  return found;
}
function showMasker(one) {
  by("masker-name").textContent = one.name;
  by("verdict").textContent = one.verdict;
  by("aside").textContent = one.aside;
  by("aside").hidden = !one.aside;
  by("other").value = String(data.runs.indexOf(one));
  document.documentElement.dataset.state = one.state;
  fillSection("advice", ...adviceOf(one));
  addressOf = (cell) => addressOfMasker(one, cell);
  if (run !== one) showRun(one);
}
data.runs.forEach((one, at) => by("other").append(make("option", { value: String(at), text: one.name })));
by("number-of-maskers").textContent = count(data.runs.length, "masker");
by("other").addEventListener("change", () => { location.hash = addressOfMasker(data.runs[Number(by("other").value)]); });
by("jump").addEventListener("submit", (event) => event.preventDefault());

// The address says what is shown, so that the browser's own way back works.
let overviewAt = 0;
let before = null;
function route() {
  const wanted = /^#masker=([^&]*)(?:&cell=(.*))?$/.exec(location.hash);
  const one = (wanted && data.runs.find((item) => addresses.get(item) === wanted[1])) || null;
  if (panel.open) { closing = () => {}; panel.close(); }
  if (one && !before) overviewAt = scrollY;
  by("title").hidden = by("overview").hidden = Boolean(one);
  by("about").hidden = by("one").hidden = !one;
  if (one) {
    // What is hidden has no width, so the matrix is drawn once it is shown.
    showMasker(one);
    document.title = `${one.name}: ${TITLE}`;
    scrollTo(0, 0);
    if (wanted[2]) openNamedCell(wanted[2]);
    else by("masker-name").focus({ preventScroll: true });
  } else {
    document.title = TITLE;
    document.documentElement.dataset.state = "";
    if (before) {
      scrollTo(0, overviewAt);
      by("masker-list").querySelectorAll("a")[data.runs.indexOf(before)].focus({ preventScroll: true });
    }
  }
  before = one;
}
const TITLE = document.title;
maskerList();
versionList();
acrossChips();
drawAcross();
// The address is taken, so this link moves the focus by itself.
by("skip").addEventListener("click", (event) => { event.preventDefault(); by(before ? "matrix" : "across").focus(); });
history.scrollRestoration = "manual";
addEventListener("hashchange", route);
route();
ready();
