// One run: the smallest failing conversation, findings, the matrix of rules and pairs, and what else is to be said.

// What a cell says. Findings are looked up by rule and pair: those of single pairs, else those that were folded over all.
const indexes = new Map();
function indexed(run) {
  if (indexes.has(run)) return indexes.get(run);
  const index = { own: new Map(), folded: new Map() };
  run.findings.forEach((finding) => {
    const put = (pair, map) => {
      const key = `${finding.rule}:${pair}`;
      if (map.has(key)) map.get(key).push(finding);
      else map.set(key, [finding]);
    };
    if (finding.pairs) finding.pairs.forEach((pair) => put(pair, index.folded));
    else put(finding.pair, index.own);
  });
  indexes.set(run, index);
  return index;
}
function findingsAt(run, rule, pair) {
  const { own, folded } = indexed(run);
  return own.get(`${rule}:${pair}`) || folded.get(`${rule}:${pair}`) || [];
}
function acceptedAt(run, rule, pair) {
  const states = findingsAt(run, rule, pair).filter((finding) => finding.known !== null).map(acceptedState);
  return states.length ? Math.min(...states) : KNOWN;
}
function stateOf(run, pair, rule) {
  const cell = run.cells[pair][rule];
  if (typeof cell === "number") return cell ? PASSED : NOT_ASKED;
  if (cell[1]) return FAILED;
  if (cell[2]) return acceptedAt(run, rule, pair);
  if (cell[3]) return NOTED;
  if (cell[0]) return PASSED;
  return EXCLUDED;
}
const statesOf = (run, pairs, rules) => {
  const totals = STATES.map(() => 0);
  for (const pair of pairs) for (const rule of rules) totals[stateOf(run, pair, rule)] += 1;
  return totals;
};
// How often each state was met in some cells, and the reasons for which their rules were not asked.
function tally(run, pairs, rules) {
  const counts = STATES.map(() => 0);
  const reasons = new Map();
  for (const pair of pairs) for (const rule of rules) {
    const cell = run.cells[pair][rule];
    if (typeof cell === "number") { counts[PASSED] += cell; continue; }
    counts[PASSED] += cell[0];
    counts[FAILED] += cell[1];
    counts[NOTED] += cell[3];
    let left = cell[2];
    for (const finding of left ? findingsAt(run, rule, pair) : []) {
      if (finding.known === null || finding.pairs) continue;
      const times = Math.min(left, finding.cases);
      counts[acceptedState(finding)] += times;
      left -= times;
    }
    if (left) counts[acceptedAt(run, rule, pair)] += left;
    for (let at = 4; at < cell.length; at += 2) {
      reasons.set(cell[at], (reasons.get(cell[at]) || 0) + cell[at + 1]);
      counts[EXCLUDED] += cell[at + 1];
    }
  }
  return { counts, reasons };
}
const inWords = (counts) => counts.map((number, state) => (number && state !== EXCLUDED ? `${number.toLocaleString("en")} ${STATES[state].name}` : "")).filter(Boolean).join(", ");

// The same kind of finding on several pairs is one, on its smallest conversation.
function merged(found) {
  const groups = new Map();
  for (const finding of found) {
    const key = JSON.stringify([finding.rule, finding.kind, finding.zone, finding.known, finding.subject]);
    const first = groups.get(key);
    if (!first) groups.set(key, { ...finding });
    else {
      const better = caseOf(finding).messages.length < caseOf(first).messages.length ? finding : first;
      groups.set(key, { ...better, cases: first.cases + finding.cases, pairs: [...(first.pairs || [first.pair]), ...(finding.pairs || [finding.pair])] });
    }
  }
  return [...groups.values()];
}
const order = (finding) => stateOfFinding(finding) * 1e6 + caseOf(finding).messages.length;

// What lies behind some cells of a run: rule, pair, counts, findings, reasons.
function behind(run, rules, pairs) {
  const everywhere = pairs.length === run.pairs.length && rules.length === 1;
  const found = everywhere
    ? [...new Set(pairs.flatMap((pair) => indexed(run).folded.get(`${rules[0]}:${pair}`) || findingsAt(run, rules[0], pair)))]
    : merged(rules.flatMap((rule) => pairs.flatMap((pair) => findingsAt(run, rule, pair))));
  const content = [];
  if (rules.length === 1) content.push(headline(data.rules[rules[0]]), ...statement(data.rules[rules[0]]));
  if (pairs.length === 1) {
    const pair = run.pairs[pairs[0]];
    content.push(make("p", { class: "muted" }, "Pair ", make("code", { text: pair.name }), ` (${pair.kind}), ${count(pair.cases, "conversation")}, ${seconds(pair.seconds)}`));
    content.push(...conflicts(pair.conflicts));
  }
  const { counts, reasons } = tally(run, pairs, rules);
  const numbers = counts.map((number, state) => [state, number]).filter(([, number]) => number);
  content.push(totalsList(numbers));
  if (!numbers.length) content.push(make("p", { class: "muted", text: "This rule was not asked here: it was never due, or the pair ended before it." }));
  found.sort((a, b) => order(a) - order(b));
  if (found.length === 1) content.push(details(found[0], rules.length > 1));
  else if (found.length) content.push(make("div", { class: "list" }, ...found.map((finding, at) => findingFold(finding, at === 0))));
  if (reasons.size) content.push(make("h3", { text: "Why it was not asked" }), reasonTable(reasons));
  return content;
}

// The run that is shown, and its matrix.
let run = null;
let columnsOfTemplate = new Map();
let drawn = { rules: [], columns: [] };
const expanded = new Set();
const chosen = new Set();
// The address of a cell, or of the page without one; a page of several runs has its own.
let addressOf = (cell) => (cell ? `#${cell}` : location.pathname + location.search);

const matrix = grid(by("scroller"), {
  label: "How every rule stands on every template",
  corner: "rule",
  activate(row, column) {
    const { rules, columns } = drawn;
    if (row === 0) return openColumn(column);
    if (column === 0) {
      const rule = rules[row - 1];
      return openPanel(`${data.rules[rule].id} on every pair`, behind(run, [rule], [...run.pairs.keys()]), { closed: () => matrix.at(row, column)?.focus() });
    }
    return openCell(row, column);
  },
  describe(row, column) {
    const rule = drawn.rules[row - 1];
    const { pairs, name, member } = drawn.columns[column - 1];
    const said = inWords(tally(run, pairs, [rule]).counts);
    return `${data.rules[rule].id} · ${member || pairs.length === 1 ? run.pairs[pairs[0]].name : name}\n${said || matrix.at(row, column).getAttribute("aria-label")}`;
  },
});
function openColumn(column) {
  const { template, pairs, name, member } = drawn.columns[column - 1];
  if (!template || member) {
    openPanel(run.pairs[pairs[0]].name, behind(run, [...data.rules.keys()], pairs), { closed: () => matrix.at(0, column)?.focus() });
    return;
  }
  if (!expanded.delete(template)) expanded.add(template);
  by("expand").setAttribute("aria-pressed", String(allExpanded()));
  matrix.setFocus(0, column);
  drawMatrix();
  matrix.moveTo(0, Math.min(column, drawn.columns.length));
  announce(expanded.has(template) ? `${name} expanded` : `${name} collapsed`);
}
function openCell(row, column) {
  const rule = drawn.rules[row - 1];
  const { pairs, name } = drawn.columns[column - 1];
  const { id } = data.rules[rule];
  const single = run.pairs[pairs[0]].name;
  matrix.moveTo(row, column);
  openPanel(pairs.length > 1 ? `${id} on ${name}, ${pairs.length} tokenizers` : `${id} on ${single}`, behind(run, [rule], pairs), {
    closed() { setAddress(() => addressOf("")); matrix.at(row, column)?.focus(); },
    steps(way, go) {
      const next = matrix.neighbour(row, column, way);
      if (next && go) openCell(...next);
      return Boolean(next);
    },
  });
  setAddress(() => addressOf(`${encodeURIComponent(id)}@${encodeURIComponent(pairs.length > 1 ? name : single)}`));
}

function visibleColumns(wanted) {
  const columns = [];
  for (const [template, all] of columnsOfTemplate) {
    const named = template.toLowerCase().includes(wanted);
    const pairs = named ? all : all.filter((pair) => run.pairs[pair].name.toLowerCase().includes(wanted));
    if (!pairs.length) continue;
    const many = pairs.length > 1;
    const open = many && expanded.has(template);
    columns.push({ name: template, pairs, template: many ? template : null, open });
    if (open) pairs.forEach((pair) => columns.push({ name: run.pairs[pair].tokenizer, pairs: [pair], member: true }));
  }
  return columns;
}
// A template with one tokenizer has the name of the pair, where that is one of its own ("llama-3").
function headOf({ name: given, pairs, template, member, open }) {
  const [single] = pairs.map((pair) => run.pairs[pair].name);
  const name = pairs.length === 1 && !member && !single.includes("+") ? single : given;
  const crashed = pairs.some((pair) => run.pairs[pair].conflicts.length);
  return {
    name,
    style: [member && "member", crashed && "crashed"].filter(Boolean).join(" "),
    label: template ? `${name}, ${pairs.length} tokenizers` : crashed ? `${name}, the adapter failed` : name,
    title: template ? `${name}: ${pairs.length} tokenizers` : name === single ? `${single}: ${given}` : single,
    expanded: template === null || member ? undefined : open,
  };
}
function drawMatrix() {
  const text = by("filter-rule").value.trim().toLowerCase();
  const family = by("filter-family").value;
  let rules = [...data.rules.keys()].filter((number) => ruleMatches(data.rules[number], family, text));
  let columns = visibleColumns(by("filter-template").value.trim().toLowerCase());
  const states = new Map(rules.map((rule) => [rule, columns.map((column) => Math.min(...column.pairs.map((pair) => stateOf(run, pair, rule))))]));
  if (chosen.size) {
    rules = rules.filter((rule) => states.get(rule).some((state) => chosen.has(state)));
    const keep = columns.map((_, at) => rules.some((rule) => chosen.has(states.get(rule)[at])));
    for (const rule of rules) states.set(rule, states.get(rule).filter((_, at) => keep[at]));
    columns = columns.filter((_, at) => keep[at]);
  }
  const members = columns.filter((column) => column.member).length;
  by("shown").textContent = `${count(rules.length, "rule")} × ${count(columns.length - members, "template")}${members ? `, ${members} tokenizers shown` : ""}`;
  drawn = rules.length && columns.length ? { rules, columns } : { rules: [], columns: [] };
  matrix.draw({
    columns: columns.map(headOf),
    rows: rules.map((number) => ({ group: data.rules[number].family, title: data.rules[number].title, head: ruleHead(data.rules[number]) })),
    paint(td, row, column) {
      const state = states.get(rules[row])[column];
      paintState(td, state, { dim: chosen.size > 0 && !chosen.has(state) });
    },
    nothing: run.pairs.length ? "Nothing matches these filters." : "No pair was asked.",
  });
}
const allExpanded = () => [...columnsOfTemplate].every(([template, pairs]) => pairs.length < 2 || expanded.has(template));
onFilter(by("filters"), () => drawMatrix(), () => clearChips(by("filter-states"), chosen));
by("expand").addEventListener("click", () => {
  if (allExpanded()) expanded.clear();
  else for (const template of columnsOfTemplate.keys()) expanded.add(template);
  by("expand").setAttribute("aria-pressed", String(allExpanded()));
  drawMatrix();
});
for (const family of new Set(data.rules.map((rule) => rule.family))) by("filter-family").append(make("option", { value: family, text: family }));

// Everything around the matrix.
function fillSection(id, ...children) {
  by(id).hidden = !children.length;
  by(id).querySelector(".body").replaceChildren(...children);
}
function fillFindings() {
  fillSection("adapter", ...conflicts(run.conflicts));
  const smallest = run.smallest === null ? null : run.findings[run.smallest];
  fillSection("smallest", ...(smallest ? [headline(data.rules[smallest.rule]), details(smallest, true)] : []));
  by("findings-title").textContent = count(run.broken.length, "finding");
  fillSection("findings", ...(run.broken.length > 1 ? run.broken.map((number) => findingFold(run.findings[number], false)) : []));
}
const ACCEPTED = [
  [BUG, "Known failures, accepted: bugs", "The masker is wrong; each has a reason in the file of known failures."],
  [POLICY, "Known failures, accepted: policy", "The masker does these on purpose, in a way that no policy can declare."],
  [TEMPLATE, "Known failures, accepted: template", "The chat template leaves no right answer."],
  [TOKENIZER, "Known failures, accepted: tokenizer", "The tokenizer leaves no right answer."],
  [KNOWN, "Known failures, accepted", "Each has a reason in the file of known failures; they do not decide about conformance."],
];
// Findings that were accepted for the same reason stand under it.
function byReason(found) {
  const groups = new Map();
  for (const finding of found) groups.set(finding.known, [...(groups.get(finding.known) || []), finding]);
  return [...groups].flatMap(([reason, group]) => [make("p", { class: "reason" }, reason), ...group.map((finding) => findingFold(finding, false))]);
}
function fillMore() {
  const more = by("more");
  more.replaceChildren();
  const section = (title, note, ...items) => more.append(make("h2", { text: title }), note && make("p", { class: "muted", text: note }) || "", make("div", { class: "list" }, ...items));
  const lines = (items) => make("ul", {}, ...items.map((item) => make("li", { text: item })));
  if (run.stale.length) section("Known failures that no longer fail", "Remove them from the file of known failures.", lines(run.stale));
  const known = run.known.map((number) => run.findings[number]);
  for (const [state, title, note] of ACCEPTED) {
    const found = known.filter((finding) => acceptedState(finding) === state);
    if (found.length) section(title, note, ...byReason(found));
  }
  if (run.notes.length) section("Notes about tokenizers", "The tokenizer shows these by itself, whatever the masker does; they decide nothing.", ...run.notes.map((number) => findingFold(run.findings[number], false)));
  if (run.unfinished.length) section("Pairs that the run did not come to", "The run was interrupted; it can go on where it stopped.", lines(run.unfinished));
  if (run.missing.length) section("Not installed, so not asked", null, lines(run.missing));
  more.hidden = !more.childNodes.length;
}
function fillFacts() {
  const asked = run.pairs.filter((pair) => pair.excluded === null);
  const conversations = asked.reduce((sum, pair) => sum + pair.cases, 0);
  by("counts").textContent = [count(run.checks, "check"), count(conversations, "conversation"), count(asked.length, "pair") + (asked.length < run.pairs.length ? ` (${run.pairs.length - asked.length} left out)` : ""), count(data.rules.length, "rule"), seconds(run.seconds), `${run.profile} profile`, `seed ${run.seed}`].join(" · ");
  const facts = [["Masker", run.masker], ["Declared policy", run.policy], ["Profile", run.profile], ["Seed", run.seed], ["Day", run.day || "unknown"],
    ["Time", `${seconds(run.seconds)} in all, ${seconds(run.adapterSeconds)} in the adapter, ${seconds(run.referenceSeconds)} in the reference`],
    ["Versions", Object.entries(run.versions).map(([name, version]) => `${name} ${version}`).join(", ") || "unknown"]];
  by("facts").querySelector("dl").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", {}, name.includes("policy") ? make("code", { text: value }) : String(value))]));
}

function showRun(next) {
  run = next;
  columnsOfTemplate = new Map();
  run.pairs.forEach((pair, number) => {
    if (columnsOfTemplate.has(pair.template)) columnsOfTemplate.get(pair.template).push(number);
    else columnsOfTemplate.set(pair.template, [number]);
  });
  expanded.clear();
  clearChips(by("filter-states"), chosen);
  by("filters").querySelectorAll("input").forEach((input) => { input.value = ""; });
  by("filter-family").value = "";
  by("expand").setAttribute("aria-pressed", "false");
  by("expand").hidden = by("several").hidden = [...columnsOfTemplate.values()].every((pairs) => pairs.length < 2);
  stateChips(by("filter-states"), statesOf(run, [...run.pairs.keys()], [...data.rules.keys()]), chosen, drawMatrix);
  fillFindings();
  fillMore();
  fillFacts();
  matrix.setFocus(1, 1);
  drawMatrix();
}

// An address that names a cell opens it: `ROLE-1@chatml+bytes`, each part encoded.
function openNamedCell(address) {
  const wanted = /^([^@]+)@(.+)$/.exec(address);
  if (!wanted) return;
  let rule, name;
  try { [rule, name] = wanted.slice(1).map(decodeURIComponent); } catch { return; }
  const pair = run.pairs.find((item) => item.name === name);
  if (pair && columnsOfTemplate.get(pair.template).length > 1) { expanded.add(pair.template); drawMatrix(); }
  const row = drawn.rules.findIndex((number) => data.rules[number].id === rule);
  const column = drawn.columns.findIndex((item) => (pair ? item.pairs.length === 1 && run.pairs[item.pairs[0]].name === name : item.name === name));
  if (row >= 0 && column >= 0) openCell(row + 1, column + 1);
}
