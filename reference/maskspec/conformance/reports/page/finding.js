// How a finding looks: its states, the rendered text token by token, the token table, and the command that replays it.

const STATES = [
  { key: "failed", name: "failed", glyph: "✕", style: "s-failed" },
  { key: "bug", name: "known bug", glyph: "B", style: "s-bug" },
  { key: "known", name: "known", glyph: "K", style: "s-known" },
  { key: "policy", name: "policy", glyph: "P", style: "s-policy" },
  { key: "template", name: "template", glyph: "T", style: "s-template" },
  { key: "tokenizer", name: "tokenizer", glyph: "V", style: "s-template" },
  { key: "noted", name: "noted", glyph: "N", style: "s-noted" },
  { key: "passed", name: "passed", glyph: "✓", style: "s-passed" },
  { key: "excluded", name: "excluded", glyph: "–", style: "s-excluded" },
  { key: "not-asked", name: "not asked", glyph: "·", style: "s-asked" },
];
const [FAILED, BUG, KNOWN, POLICY, TEMPLATE, TOKENIZER, NOTED, PASSED, EXCLUDED, NOT_ASKED] = STATES.keys();
const OF_CLASS = { bug: BUG, policy: POLICY, template: TEMPLATE, tokenizer: TOKENIZER };
const TOKENS_AT_ONCE = 1500;
const { words } = data;

const seconds = (number) => (number >= 90 ? `${Math.floor(number / 60)} min ${Math.round(number % 60)} s` : `${number} s`);
const mark = (state) => make("span", { class: `mark ${STATES[state].style}`, "aria-hidden": "true", text: STATES[state].glyph });
const acceptedState = (finding) => OF_CLASS[finding.class] ?? KNOWN;
const stateOfFinding = (finding) => (finding.known !== null ? acceptedState(finding) : finding.subject === "tokenizer" ? NOTED : FAILED);
const caseOf = (finding) => data.cases[finding.case];
const tokensOf = (finding) => finding.tokens.map(([index, text, zone, message, expected, got, wrong]) =>
  ({ index, text: words[text], zone: words[zone], message: message < 0 ? "" : message, expected: words[expected], got: words[got], wrong: Boolean(wrong) }));

function tokenStrip(tokens) {
  const strip = make("div", { class: "tokens", role: "group", tabindex: "0", "aria-label": `the rendered text as ${count(tokens.length, "token")}; the table below says the same` });
  const fill = (from, to) => {
    for (const { index, text, zone, message, expected, got, wrong } of tokens.slice(from, to)) {
      const where = message === "" ? "" : `, message ${message}`;
      strip.append(make("span", {
        class: wrong ? "t wrong" : "t", "data-z": zone, "data-v": expected,
        title: `token ${index}, ${zone}${where}: expected ${expected}, got ${got}`,
      }, ...(text === "" ? [make("span", { class: "invisible", text: "∅" })] : visible(text, "inside"))));
      // The line ends behind the token, so that its frame does not reach into the next line.
      if (text.endsWith("\n")) strip.append("\n");
    }
  };
  fill(0, TOKENS_AT_ONCE);
  if (tokens.length > TOKENS_AT_ONCE) {
    const rest = make("button", { type: "button", class: "quiet", text: `Show ${count(tokens.length - TOKENS_AT_ONCE, "further token")}` });
    rest.addEventListener("click", () => { rest.remove(); fill(TOKENS_AT_ONCE, tokens.length); });
    strip.append(rest);
  }
  const zones = [...new Set(tokens.map((token) => token.zone))].filter(Boolean);
  const legend = make("ul", { class: "legend", "aria-label": "Legend" },
    ...zones.map((zone) => make("li", {}, make("span", { class: "k", "data-z": zone, text: zone }))),
    make("li", {}, make("span", { class: "k line", text: "trained" }), " expected"),
    make("li", {}, make("span", { class: "k dots", text: "either" }), " allowed"),
    make("li", {}, make("span", { class: "k bad", text: "✕" }), " contradicts the rule"));
  return make("div", {}, strip, legend);
}

function tokenTable(tokens) {
  const body = make("tbody");
  const near = new Set();
  tokens.forEach((token, at) => { if (token.wrong) [at - 1, at, at + 1].forEach((place) => near.add(place)); });
  const row = ({ index, text, zone, message, expected, got, wrong }) => make("tr", { class: wrong && "wrong" },
    make("td", { text: wrong ? "✕" : "", "aria-label": wrong ? "wrong" : null }), make("td", { class: "number", text: index }),
    make("td", { class: "mono" }, ...visible(text)), make("td", { text: zone }),
    make("td", { class: "number of", text: message }), make("td", { text: expected }), make("td", { text: got }));
  const gap = (from, to) => make("tr", { class: "gap" }, make("td"), make("td", { class: "number", text: "…" }), make("td", { colspan: "5", text: `${count(to - from, "token")} without an error` }));
  const fill = (all) => {
    const rows = [];
    let last = -1;
    tokens.forEach((token, at) => {
      if (!all && !near.has(at)) return;
      if (at > last + 1) rows.push(gap(last + 1, at));
      rows.push(row(token));
      last = at;
    });
    if (last < tokens.length - 1) rows.push(gap(last + 1, tokens.length));
    body.replaceChildren(...rows);
  };
  fill(near.size === 0);
  const heads = [["", "wrong"], ["index"], ["token"], ["zone"], ["message"], ["expected"], ["got"]];
  const table = make("div", { class: "rows" }, make("table", { class: "plain" },
    make("thead", {}, make("tr", {}, ...heads.map(([text, label]) => make("th", { scope: "col", text, "aria-label": label, class: text === "index" ? "number" : text === "message" ? "number of" : null })))), body));
  if (near.size && tokens.length > near.size) {
    const all = make("button", { type: "button", class: "quiet", text: `Show all ${count(tokens.length, "token")}` });
    all.addEventListener("click", () => { fill(true); all.remove(); });
    table.append(make("p", {}, all));
  }
  return table;
}

async function copy(text, button) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const area = make("textarea", { class: "unseen" });
    area.value = text;
    button.after(area);
    area.select();
    try { done = document.execCommand("copy"); } catch { done = false; }
    area.remove();
    button.focus();
  }
  button.textContent = done ? "Copied" : "Press Ctrl+C";
  announce(done ? "Command copied" : "The command could not be copied");
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}
function replay(command) {
  const button = make("button", { type: "button", class: "quiet copy", text: "Copy" });
  button.addEventListener("click", () => copy(command, button));
  return make("div", { class: "copyable" }, make("pre", { tabindex: "0" }, make("code", { text: command })), button);
}

const headline = (rule) => make("p", { class: "headline" }, make("span", { class: "rule-id", text: rule.id }), make("span", { class: "level", text: rule.level }), make("span", { text: rule.title }));
const statement = (rule) => [make("p", { class: "sentence", text: rule.sentence }), make("p", { class: "place" }, "in ", make("code", { text: rule.location }))];
const where = (finding) => (finding.pairs ? `${count(finding.cases, "conversation")} on ${count(finding.pairs.length, "pair")}` : count(finding.cases, "conversation"));
const inWhatWay = (finding) => [finding.kind, finding.zone].filter(Boolean).join(", ");

function details(finding, withRule) {
  const rule = data.rules[finding.rule];
  const calm = finding.known !== null || finding.subject === "tokenizer";
  const tokens = tokensOf(finding);
  return make("div", { class: "finding" },
    ...(withRule ? statement(rule) : []),
    make("p", { class: calm && stateOfFinding(finding) !== BUG ? "explanation calm" : "explanation" }, ...visible(finding.explanation, "inside")),
    finding.known !== null && make("p", { class: "reason" }, make("strong", { text: finding.class ? `Accepted, ${finding.class}: ` : "Accepted: " }), finding.known),
    make("p", { class: "muted" }, "On ", make("code", { text: finding.on }), `, seen in ${where(finding)}. `, withRule && !calm ? rule.consequence : ""),
    make("h3", { text: "Conversation" }), conversation(caseOf(finding)),
    ...(tokens.length ? [make("h3", { text: "Rendered text, token by token" }), tokenStrip(tokens), make("h3", { text: "Token table" }), tokenTable(tokens),
      finding.omitted ? make("p", { class: "muted", text: `This page leaves out ${count(finding.omitted, "token")} far from the first wrong ones; the counterexample file has them all.` }) : ""] : []),
    make("h3", { text: "Replay" }), replay(finding.replay));
}
function findingFold(finding, open) {
  const rule = data.rules[finding.rule];
  return fold([mark(stateOfFinding(finding)), make("span", { class: "rule-id", text: rule.id }), make("span", { class: "level", text: rule.level }),
    make("span", { class: "grow", text: rule.title }), make("span", { class: "muted", text: `${inWhatWay(finding)} · ${where(finding)}` })], () => details(finding, true), open);
}
function conflicts(list) {
  return list.map((item) => make("div", { class: "finding" },
    make("p", { class: "explanation" }, ...visible(item.problem, "inside")),
    make("p", { class: "muted" }, item.pair ? "On " : "", make("code", { text: item.pair }), ` ${count(item.count, "time")}`),
    item.messages.length ? conversation({ messages: item.messages }) : null,
    item.traceback ? make("pre", { class: "trace", tabindex: "0", text: item.traceback }) : null));
}
const totalsList = (numbers) => make("ul", { class: "totals" }, ...numbers.map(([state, number]) => make("li", {}, mark(state), `${number.toLocaleString("en")} ${STATES[state].name}`)));
function reasonTable(reasons) {
  const sorted = [...reasons].sort((a, b) => b[1] - a[1]);
  return make("div", { class: "rows" }, make("table", { class: "plain" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "number", text: "times" }), make("th", { scope: "col", text: "reason" }))),
    make("tbody", {}, ...sorted.map(([reason, times]) => make("tr", {}, make("td", { class: "number", text: times.toLocaleString("en") }), make("td", { text: data.reasons[reason] }))))));
}
