
"use strict";
(() => {
  const run = JSON.parse(document.getElementById("data").textContent);
  const STATES = [
    { key: "failed", name: "failed", glyph: "✕", style: "s-failed" },
    { key: "known", name: "known", glyph: "K", style: "s-known" },
    { key: "noted", name: "noted", glyph: "N", style: "s-noted" },
    { key: "passed", name: "passed", glyph: "✓", style: "s-passed" },
    { key: "excluded", name: "excluded", glyph: "–", style: "s-excluded" },
    { key: "not-asked", name: "not asked", glyph: "·", style: "s-asked" },
  ];
  const [FAILED, KNOWN, NOTED, PASSED, EXCLUDED, NOT_ASKED] = STATES.keys();
  const TOKENS_AT_ONCE = 1500;
  const by = (id) => document.getElementById(id);

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
  const seconds = (number) => (number >= 90 ? `${Math.floor(number / 60)} min ${Math.round(number % 60)} s` : `${number} s`);

  // What one cell says: counts, and the reasons for which it was not asked.
  function tally(pair, rule) {
    const cell = run.cells[pair][rule];
    if (typeof cell === "number") return { counts: [0, 0, 0, cell], reasons: [] };
    const reasons = [];
    for (let at = 4; at < cell.length; at += 2) reasons.push([cell[at], cell[at + 1]]);
    return { counts: [cell[1], cell[2], cell[3], cell[0]], reasons };
  }
  function stateOf(pair, rule) {
    const cell = run.cells[pair][rule];
    if (typeof cell === "number") return cell ? PASSED : NOT_ASKED;
    if (cell[1]) return FAILED;
    if (cell[2]) return KNOWN;
    if (cell[3]) return NOTED;
    if (cell[0]) return PASSED;
    return EXCLUDED;
  }
  const mark = (state) => make("span", { class: `mark ${STATES[state].style}`, "aria-hidden": "true", text: STATES[state].glyph });

  const own = new Map();
  const folded = new Map();
  run.findings.forEach((finding, number) => {
    const put = (pair, map) => {
      const key = `${finding.rule}:${pair}`;
      if (map.has(key)) map.get(key).push(number);
      else map.set(key, [number]);
    };
    if (finding.pairs) finding.pairs.forEach((pair) => put(pair, folded));
    else put(finding.pair, own);
  });
  const findingsAt = (rule, pair) => own.get(`${rule}:${pair}`) || folded.get(`${rule}:${pair}`) || [];

  // Characters that cannot be seen, or that turn the direction of what follows, are spelled out.
  const HIDDEN = /[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/gu;
  const NAMED = { "\n": "↵", "\t": "→", "\r": "␍" };
  const spell = (character) => NAMED[character] || `\\u{${character.codePointAt(0).toString(16)}}`;
  function visible(text, breaks) {
    const parts = [];
    let from = 0;
    for (const found of text.matchAll(HIDDEN)) {
      if (found.index > from) parts.push(text.slice(from, found.index));
      parts.push(make("span", { class: "invisible", text: spell(found[0]) + (breaks && found[0] === "\n" && found.index < text.length - 1 ? "\n" : "") }));
      from = found.index + found[0].length;
    }
    if (from < text.length) parts.push(text.slice(from));
    return parts;
  }

  const words = run.words;
  function tokenStrip(tokens) {
    const strip = make("div", { class: "tokens", role: "group", tabindex: "0", "aria-label": `the rendered text as ${count(tokens.length, "token")}; the table below says the same` });
    const fill = (from, to) => {
      for (const [index, text, zone, message, expected, got, wrong] of tokens.slice(from, to)) {
        const where = message < 0 ? "" : `, message ${message}`;
        strip.append(make("span", {
          class: wrong ? "t wrong" : "t", "data-z": words[zone], "data-v": words[expected],
          title: `token ${index}, ${words[zone]}${where}: expected ${words[expected]}, got ${words[got]}`,
        }, ...(text === "" ? [make("span", { class: "invisible", text: "∅" })] : visible(text, true))));
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
    const zones = [...new Set(tokens.map((token) => words[token[2]]))].filter(Boolean);
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
    tokens.forEach((token, at) => { if (token[6]) [at - 1, at, at + 1].forEach((place) => near.add(place)); });
    const row = ([index, text, zone, message, expected, got, wrong]) => make("tr", { class: wrong && "wrong" },
      make("td", { text: wrong ? "✕" : "", "aria-label": wrong ? "wrong" : null }), make("td", { class: "number", text: index }),
      make("td", { class: "mono" }, ...visible(text, false)), make("td", { text: words[zone] }),
      make("td", { class: "number of", text: message < 0 ? "" : message }), make("td", { text: words[expected] }), make("td", { text: words[got] }));
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
  function conversation(finding) {
    const part = (name, value) => {
      const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
      const shown = text === "" ? [make("span", { class: "empty", text: "empty" })] : visible(text, true);
      return make("p", { class: "part" }, name && make("span", { class: "field", text: name }), ...shown);
    };
    const list = make("ol", { class: "conversation" });
    for (const message of finding.messages) {
      const parts = [];
      if (typeof message.content === "string") parts.push(part("", message.content));
      for (const [name, value] of Object.entries(message)) {
        if (name === "role" || (name === "content" && typeof value === "string")) continue;
        parts.push(part(name, value));
      }
      list.append(make("li", { class: "message" }, make("span", { class: "role", text: message.role }), make("div", {}, ...parts)));
    }
    for (const [name, value] of [["tools", finding.tools], ["template variables", finding.variables]]) {
      if (value) list.append(make("li", { class: "message" }, make("span", { class: "role", text: name }), make("div", {}, part("", value))));
    }
    return list;
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
    by("announcement").textContent = done ? "Command copied" : "The command could not be copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }
  function replay(command) {
    const button = make("button", { type: "button", class: "quiet copy", text: "Copy" });
    button.addEventListener("click", () => copy(command, button));
    return make("div", { class: "copyable" }, make("pre", { tabindex: "0" }, make("code", { text: command })), button);
  }
  function ruleStatement(rule) {
    return [make("p", { class: "sentence", text: rule.sentence }),
      make("p", { class: "place" }, "in ", make("code", { text: rule.location }))];
  }
  const where = (finding) => (finding.pairs ? `${count(finding.cases, "conversation")} on ${count(finding.pairs.length, "pair")}` : count(finding.cases, "conversation"));
  const subject = (finding) => [finding.kind, finding.zone].filter(Boolean).join(", ");
  function details(finding, statement) {
    const rule = run.rules[finding.rule];
    const calm = finding.known !== null || finding.subject === "tokenizer";
    return make("div", { class: "finding" },
      ...(statement ? ruleStatement(rule) : []),
      make("p", { class: calm ? "explanation calm" : "explanation" }, ...visible(finding.explanation, true)),
      finding.known !== null && make("p", {}, make("strong", { text: "Accepted: " }), finding.known),
      make("p", { class: "muted" }, "On ", make("code", { text: finding.on }), `, seen in ${where(finding)}. `, statement && !calm ? rule.consequence : ""),
      make("h3", { text: "Conversation" }), conversation(finding),
      ...(finding.tokens.length ? [make("h3", { text: "Rendered text, token by token" }), tokenStrip(finding.tokens), make("h3", { text: "Token table" }), tokenTable(finding.tokens),
        finding.omitted ? make("p", { class: "muted", text: `This page leaves out ${count(finding.omitted, "token")} far from the first wrong ones; the counterexample file has them all.` }) : ""] : []),
      make("h3", { text: "Replay" }), replay(finding.replay));
  }
  function fold(summary, build, open) {
    const inside = make("div", { class: "inside" });
    const element = make("details", {}, make("summary", {}, ...summary), inside);
    const fill = () => { if (element.open && !inside.childNodes.length) inside.append(...[build()].flat()); };
    element.addEventListener("toggle", fill);
    if (open) { element.open = true; fill(); }
    return element;
  }
  function findingFold(finding, open) {
    const rule = run.rules[finding.rule];
    return fold([mark(stateOfFinding(finding)), make("span", { class: "rule-id", text: rule.id }), make("span", { class: "level", text: rule.level }),
      make("span", { class: "grow", text: rule.title }), make("span", { class: "muted", text: `${subject(finding)} · ${where(finding)}` })], () => details(finding, true), open);
  }

  // The panel: one rule, or one pair, or both.
  const panel = by("panel");
  let opener = null;
  let shownCell = null;
  function conflicts(list) {
    return list.map((item) => make("div", { class: "finding" },
      make("p", { class: "explanation" }, ...visible(item.problem, true)),
      make("p", { class: "muted" }, item.pair ? "On " : "", make("code", { text: item.pair }), ` ${count(item.count, "time")}`),
      item.messages.length ? conversation({ messages: item.messages }) : null,
      item.traceback ? make("pre", { class: "trace", tabindex: "0", text: item.traceback }) : null));
  }
  function fillPanel(rules, pairs, title) {
    const body = by("panel-body");
    const totals = [0, 0, 0, 0];
    const reasons = new Map();
    const found = [];
    let left = 0;
    for (const pair of pairs) for (const rule of rules) {
      const cell = tally(pair, rule);
      cell.counts.forEach((number, at) => { totals[at] += number; });
      cell.reasons.forEach(([reason, times]) => { reasons.set(reason, (reasons.get(reason) || 0) + times); left += times; });
    }
    if (pairs.length === run.pairs.length && rules.length === 1) {
      const seen = new Set(pairs.flatMap((pair) => folded.get(`${rules[0]}:${pair}`) || findingsAt(rules[0], pair)));
      found.push(...[...seen].map((number) => run.findings[number]));
    } else found.push(...merged(rules.flatMap((rule) => pairs.flatMap((pair) => findingsAt(rule, pair).map((number) => run.findings[number])))));
    by("panel-title").textContent = title;
    const content = [];
    if (rules.length === 1) {
      const rule = run.rules[rules[0]];
      content.push(make("p", { class: "headline" }, make("span", { class: "rule-id", text: rule.id }), make("span", { class: "level", text: rule.level }), make("span", { text: rule.title })), ...ruleStatement(rule));
    }
    if (pairs.length === 1) {
      const pair = run.pairs[pairs[0]];
      content.push(make("p", { class: "muted" }, "Pair ", make("code", { text: pair.name }), ` (${pair.kind}), ${count(pair.cases, "conversation")}, ${seconds(pair.seconds)}`));
      content.push(...conflicts(pair.conflicts));
    }
    const numbers = totals.map((number, state) => [state, number]).concat([[EXCLUDED, left]]).filter(([, number]) => number);
    content.push(make("ul", { class: "totals" }, ...numbers.map(([state, number]) => make("li", {}, mark(state), `${number.toLocaleString("en")} ${STATES[state].name}`))));
    if (!numbers.length) content.push(make("p", { class: "muted", text: "This rule was not asked here: it was never due, or the pair ended before it." }));
    found.sort((a, b) => order(a) - order(b));
    if (found.length === 1) content.push(details(found[0], rules.length > 1));
    else if (found.length) content.push(make("div", { class: "list" }, ...found.map((finding, at) => findingFold(finding, at === 0))));
    if (reasons.size) {
      const sorted = [...reasons].sort((a, b) => b[1] - a[1]);
      content.push(make("h3", { text: "Why it was not asked" }), make("div", { class: "rows" }, make("table", { class: "plain" },
        make("thead", {}, make("tr", {}, make("th", { scope: "col", class: "number", text: "times" }), make("th", { scope: "col", text: "reason" }))),
        make("tbody", {}, ...sorted.map(([reason, times]) => make("tr", {}, make("td", { class: "number", text: times.toLocaleString("en") }), make("td", { text: run.reasons[reason] })))))));
    }
    body.replaceChildren(...content);
    panel.scrollTop = 0;
  }
  const stateOfFinding = (finding) => (finding.known !== null ? KNOWN : finding.subject === "tokenizer" ? NOTED : FAILED);
  const order = (finding) => stateOfFinding(finding) * 1e6 + finding.messages.length;
  // The same kind of finding on several pairs of a template is one, on its smallest conversation.
  function merged(found) {
    const groups = new Map();
    for (const finding of found) {
      const key = JSON.stringify([finding.rule, finding.kind, finding.zone, finding.known, finding.subject]);
      const first = groups.get(key);
      if (!first) groups.set(key, { ...finding });
      else {
        const better = finding.messages.length < first.messages.length ? finding : first;
        groups.set(key, { ...better, cases: first.cases + finding.cases, pairs: [...(first.pairs || [first.pair]), ...(finding.pairs || [finding.pair])] });
      }
    }
    return [...groups.values()];
  }
  function openPanel(rules, pairs, title, from) {
    fillPanel(rules, pairs, title);
    opener = from || document.activeElement;
    if (!panel.open) panel.showModal();
    by("panel-title").focus();
    steps();
  }
  panel.addEventListener("close", () => {
    shownCell = null;
    setAddress(() => location.pathname + location.search);
    if (opener && opener.isConnected) opener.focus();
  });
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
  by("close").addEventListener("click", () => panel.close());
  // The address names the open cell, so that it can be sent to somebody; a page without an address goes without.
  function setAddress(address) {
    try { history.replaceState(null, "", address()); } catch { return; }
  }

  // The matrix.
  const columnsOfTemplate = new Map();
  run.pairs.forEach((pair, number) => {
    if (columnsOfTemplate.has(pair.template)) columnsOfTemplate.get(pair.template).push(number);
    else columnsOfTemplate.set(pair.template, [number]);
  });
  const expanded = new Set();
  const chosen = new Set();
  let cells = [];
  let drawn = { rules: [], columns: [] };
  let focus = [1, 1];
  function groupState(pairs, rule) {
    let worst = NOT_ASKED;
    for (const pair of pairs) worst = Math.min(worst, stateOf(pair, rule));
    return worst;
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
  function drawMatrix() {
    const ruleText = by("filter-rule").value.trim().toLowerCase();
    const family = by("filter-family").value;
    const templateText = by("filter-template").value.trim().toLowerCase();
    let rules = [...run.rules.keys()].filter((number) => {
      const rule = run.rules[number];
      return (!family || rule.family === family) && (!ruleText || `${rule.id} ${rule.title}`.toLowerCase().includes(ruleText));
    });
    let columns = visibleColumns(templateText);
    const states = new Map(rules.map((rule) => [rule, columns.map((column) => groupState(column.pairs, rule))]));
    if (chosen.size) {
      rules = rules.filter((rule) => states.get(rule).some((state) => chosen.has(state)));
      const keep = columns.map((_, at) => rules.some((rule) => chosen.has(states.get(rule)[at])));
      for (const rule of rules) states.set(rule, states.get(rule).filter((_, at) => keep[at]));
      columns = columns.filter((_, at) => keep[at]);
    }
    by("shown").textContent = `${count(rules.length, "rule")} × ${count(columns.filter((column) => !column.member).length, "template")}` +
      (columns.some((column) => column.member) ? `, ${columns.filter((column) => column.member).length} tokenizers shown` : "");
    if (!rules.length || !columns.length) {
      cells = [];
      drawn = { rules: [], columns: [] };
      by("scroller").classList.remove("narrow");
      by("scroller").replaceChildren(make("p", { class: "nothing", text: run.pairs.length ? "Nothing matches these filters." : "No pair was asked." }));
      return;
    }
    const head = make("tr", { role: "row" }, make("th", { class: "corner", role: "columnheader", scope: "col", text: "rule" }));
    const first = [null];
    columns.forEach((column, at) => {
      const pairs = column.pairs.map((pair) => run.pairs[pair]);
      const crashed = pairs.some((pair) => pair.conflicts.length);
      const th = make("th", {
        role: "columnheader", scope: "col", tabindex: "-1", class: [column.member && "member", crashed && "crashed"].filter(Boolean).join(" ") || null,
        "aria-expanded": column.template === null || column.member ? null : String(column.open),
        "aria-label": column.template ? `${column.name}, ${column.pairs.length} tokenizers` : crashed ? `${column.name}, the adapter failed` : column.name,
        title: column.template ? `${column.name}: ${column.pairs.length} tokenizers` : pairs[0].name,
      }, make("div", { class: "name", text: column.name }), make("span", { class: "fold", "aria-hidden": "true", text: column.template ? (column.open ? "▾" : "▸") : "\u00a0" }));
      th.place = [0, at + 1];
      first.push(th);
      head.append(th);
    });
    cells = [first];
    const table = make("table", { class: "grid", role: "grid", "aria-label": "How every rule stands on every template", "aria-readonly": "true" }, make("thead", { role: "rowgroup" }, head));
    const prototype = document.createElement("td");
    prototype.setAttribute("role", "gridcell");
    prototype.tabIndex = -1;
    let group = null;
    let last = null;
    for (const number of rules) {
      const rule = run.rules[number];
      if (rule.family !== last) {
        last = rule.family;
        group = make("tbody", { role: "rowgroup", "aria-label": rule.family });
        table.append(group);
      }
      const line = make("tr", { role: "row" });
      const name = make("th", { role: "rowheader", scope: "row", tabindex: "-1", title: rule.title },
        make("span", { class: "rule-id", text: rule.id }), rule.level === "MUST" ? null : make("span", { class: "should", text: rule.level }), make("span", { class: "title", text: rule.title }));
      name.place = [cells.length, 0];
      const row = [name];
      line.append(name);
      const rowStates = states.get(number);
      columns.forEach((column, at) => {
        const state = STATES[rowStates[at]];
        const td = prototype.cloneNode(false);
        td.textContent = state.glyph;
        td.className = chosen.size && !chosen.has(rowStates[at]) ? `${state.style} dim` : state.style;
        td.setAttribute("aria-label", state.name);
        td.place = [cells.length, at + 1];
        row.push(td);
        line.append(td);
      });
      cells.push(row);
      group.append(line);
    }
    drawn = { rules, columns };
    const box = by("scroller");
    box.replaceChildren(table);
    // A matrix narrower than the text starts where the text does; a wider one may use the whole window.
    box.classList.remove("narrow");
    box.classList.toggle("narrow", table.offsetWidth <= by("filters").offsetWidth);
    focus = [Math.min(focus[0], cells.length - 1), Math.min(focus[1], columns.length)];
    const current = cells[focus[0]][focus[1]] || cells[1][1];
    current.tabIndex = 0;
    focus = current.place;
  }
  function moveTo(row, column, scroll) {
    const next = cells[row] && cells[row][column];
    if (!next) return;
    const old = cells[focus[0]] && cells[focus[0]][focus[1]];
    if (old) old.tabIndex = -1;
    focus = [row, column];
    next.tabIndex = 0;
    next.focus({ preventScroll: true });
    if (scroll !== false) reveal(next);
  }
  // A cell must not stay under the headers that stick to the edges.
  function reveal(cell) {
    const box = by("scroller");
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    const outer = box.getBoundingClientRect();
    const inner = cell.getBoundingClientRect();
    const corner = box.querySelector(".corner").getBoundingClientRect();
    if (cell.place[0] > 0 && inner.top < outer.top + corner.height) box.scrollTop -= outer.top + corner.height - inner.top;
    if (cell.place[1] > 0 && inner.left < outer.left + corner.width) box.scrollLeft -= outer.left + corner.width - inner.left;
  }
  function activate(cell) {
    const [row, column] = cell.place;
    const { rules, columns } = drawn;
    if (row === 0) {
      const { template, pairs, name } = columns[column - 1];
      if (template && !columns[column - 1].member) {
        if (!expanded.delete(template)) expanded.add(template);
        by("expand").setAttribute("aria-pressed", String(allExpanded()));
        focus = [0, column];
        drawMatrix();
        moveTo(0, Math.min(column, cells[0].length - 1));
        by("announcement").textContent = expanded.has(template) ? `${name} expanded` : `${name} collapsed`;
      } else openPanel([...run.rules.keys()], pairs, run.pairs[pairs[0]].name, cell);
      return;
    }
    const rule = rules[row - 1];
    if (column === 0) openPanel([rule], [...run.pairs.keys()], `${run.rules[rule].id} on every pair`, cell);
    else openCell(row, column);
  }
  function openCell(row, column) {
    const { rules, columns } = drawn;
    const rule = rules[row - 1];
    const { pairs, name } = columns[column - 1];
    const title = pairs.length > 1 ? `${run.rules[rule].id} on ${name}, ${pairs.length} tokenizers` : `${run.rules[rule].id} on ${run.pairs[pairs[0]].name}`;
    moveTo(row, column);
    shownCell = [row, column];
    openPanel([rule], pairs, title, cells[row][column]);
    setAddress(() => `#${encodeURIComponent(run.rules[rule].id)}@${encodeURIComponent(pairs.length > 1 ? name : run.pairs[pairs[0]].name)}`);
  }
  by("scroller").addEventListener("click", (event) => {
    const cell = event.target.closest("td, th");
    if (!cell || !cell.place) return;
    moveTo(...cell.place, false);
    activate(cell);
  });
  by("scroller").addEventListener("pointerover", (event) => {
    const cell = event.target.closest("td");
    if (!cell || cell.title || !cell.place) return;
    const { rules, columns } = drawn;
    const rule = rules[cell.place[0] - 1];
    const { pairs, name, member } = columns[cell.place[1] - 1];
    const sums = [0, 0, 0, 0];
    for (const pair of pairs) tally(pair, rule).counts.forEach((number, at) => { sums[at] += number; });
    const said = sums.map((number, state) => (number ? `${number.toLocaleString("en")} ${STATES[state].name}` : "")).filter(Boolean).join(", ");
    cell.title = `${run.rules[rule].id} · ${member || pairs.length === 1 ? run.pairs[pairs[0]].name : name}\n${said || cell.getAttribute("aria-label")}`;
  });
  by("scroller").addEventListener("keydown", (event) => {
    const cell = event.target.closest("td, th");
    if (!cell || !cell.place || event.altKey || event.metaKey) return;
    const [row, column] = cell.place;
    const [bottom, right] = [cells.length - 1, cells[0].length - 1];
    const go = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: event.ctrlKey ? [1, 0] : [row, row === 0 ? 1 : 0], End: event.ctrlKey ? [bottom, right] : [row, right],
      PageUp: [Math.max(row - 10, 0), column], PageDown: [Math.min(row + 10, bottom), column],
    }[event.key];
    if (go) moveTo(go[0] === 0 && go[1] === 0 ? row : go[0], go[0] === 0 && go[1] === 0 ? column : go[1]);
    else if (event.key === "Enter" || event.key === " ") activate(cell);
    else return;
    event.preventDefault();
  });

  // From finding to finding, in reading order.
  function telling(cell) {
    return cell.place[0] > 0 && cell.place[1] > 0 && !cell.classList.contains("dim") && ["failed", "known", "noted"].includes(cell.getAttribute("aria-label"));
  }
  function neighbour(step) {
    if (!shownCell) return null;
    const flat = cells.slice(1).flatMap((row) => row.slice(1));
    const at = flat.indexOf(cells[shownCell[0]][shownCell[1]]);
    for (let place = at + step; place >= 0 && place < flat.length; place += step) if (telling(flat[place])) return flat[place];
    return null;
  }
  function steps() {
    by("previous").hidden = by("next").hidden = !shownCell;
    by("previous").disabled = !neighbour(-1);
    by("next").disabled = !neighbour(1);
  }
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    by(id).addEventListener("click", () => {
      const cell = neighbour(step);
      if (cell) openCell(...cell.place);
      if (!by(id).disabled) by(id).focus();
    });
  }

  // Filters.
  const allExpanded = () => [...columnsOfTemplate].every(([template, pairs]) => pairs.length < 2 || expanded.has(template));
  function fillFilters() {
    for (const family of new Set(run.rules.map((rule) => rule.family))) by("filter-family").append(make("option", { value: family, text: family }));
    const totals = STATES.map(() => 0);
    for (const pair of run.pairs.keys()) for (const rule of run.rules.keys()) totals[stateOf(pair, rule)] += 1;
    STATES.forEach((state, number) => {
      if (!totals[number]) return;
      const chip = make("button", { type: "button", class: "chip", "aria-pressed": "false", "data-state": state.key }, mark(number), state.name, make("span", { class: "n", text: totals[number].toLocaleString("en") }));
      chip.addEventListener("click", () => {
        if (!chosen.delete(number)) chosen.add(number);
        chip.setAttribute("aria-pressed", String(chosen.has(number)));
        drawMatrix();
      });
      by("filter-states").append(chip);
    });
    let waiting = 0;
    by("filters").addEventListener("input", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(drawMatrix); });
    by("filters").addEventListener("submit", (event) => event.preventDefault());
    by("filters").addEventListener("reset", () => {
      chosen.clear();
      by("filter-states").querySelectorAll(".chip").forEach((chip) => chip.setAttribute("aria-pressed", "false"));
      requestAnimationFrame(drawMatrix);
    });
    by("expand").hidden = by("several").hidden = [...columnsOfTemplate.values()].every((pairs) => pairs.length < 2);
    by("expand").addEventListener("click", () => {
      if (allExpanded()) expanded.clear();
      else for (const template of columnsOfTemplate.keys()) expanded.add(template);
      by("expand").setAttribute("aria-pressed", String(allExpanded()));
      drawMatrix();
    });
  }

  // Everything around the matrix.
  function show(id, ...children) {
    const section = by(id);
    section.hidden = false;
    section.querySelector(".body").append(...children);
  }
  function fillPage() {
    const asked = run.pairs.filter((pair) => pair.excluded === null);
    const conversations = asked.reduce((sum, pair) => sum + pair.cases, 0);
    by("counts").textContent = [count(run.checks, "check"), count(conversations, "conversation"), count(asked.length, "pair") + (asked.length < run.pairs.length ? ` (${run.pairs.length - asked.length} left out)` : ""), count(run.rules.length, "rule"), seconds(run.seconds), `${run.profile} profile`, `seed ${run.seed}`].join(" · ");
    if (run.conflicts.length) show("adapter", ...conflicts(run.conflicts));
    if (run.smallest !== null) {
      const finding = run.findings[run.smallest];
      const rule = run.rules[finding.rule];
      show("smallest", make("p", { class: "headline" }, make("span", { class: "rule-id", text: rule.id }), make("span", { class: "level", text: rule.level }), make("span", { text: rule.title })), details(finding, true));
    }
    if (run.broken.length > 1) {
      by("findings-title").textContent = `${run.broken.length} findings`;
      show("findings", ...run.broken.map((number) => findingFold(run.findings[number], false)));
    }
    const more = by("more");
    const section = (title, note, ...items) => more.append(make("h2", { text: title }), note && make("p", { class: "muted", text: note }) || "", make("div", { class: "list" }, ...items));
    if (run.stale.length) section("Known failures that no longer fail", "Remove them from the file of known failures.", make("ul", {}, ...run.stale.map((item) => make("li", { text: item }))));
    if (run.known.length) section("Known failures, accepted", "Each has a reason in the file of known failures; they do not decide about conformance.", ...run.known.map((number) => findingFold(run.findings[number], false)));
    if (run.notes.length) section("Notes about tokenizers", "The tokenizer shows these by itself, whatever the masker does; they decide nothing.", ...run.notes.map((number) => findingFold(run.findings[number], false)));
    if (run.unfinished.length) section("Pairs that the run did not come to", "The run was interrupted; it can go on where it stopped.", make("ul", {}, ...run.unfinished.map((item) => make("li", { text: item }))));
    if (run.missing.length) section("Not installed, so not asked", null, make("ul", {}, ...run.missing.map((item) => make("li", { text: item }))));
    more.hidden = !more.childNodes.length;
    const facts = [["Masker", run.masker], ["Declared policy", run.policy], ["Profile", run.profile], ["Seed", run.seed],
      ["Time", `${seconds(run.seconds)} in all, ${seconds(run.adapterSeconds)} in the adapter, ${seconds(run.referenceSeconds)} in the reference`],
      ["Versions", Object.entries(run.versions).map(([name, version]) => `${name} ${version}`).join(", ") || "unknown"]];
    for (const [name, value] of facts) by("facts").querySelector("dl").append(make("dt", { text: name }), make("dd", {}, name.includes("policy") ? make("code", { text: value }) : String(value)));
  }

  // Light and dark.
  function stored(value) {
    try {
      if (value === undefined) return localStorage.getItem("maskspec-theme");
      localStorage.setItem("maskspec-theme", value);
    } catch { /* storage may be forbidden; the choice then lasts as long as the page */ }
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

  // On paper nothing can be opened, so the findings are.
  const MOST_ON_PAPER = 60;
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")].slice(0, MOST_ON_PAPER);
    for (const element of opened) { element.open = true; element.dispatchEvent(new Event("toggle")); }
  });
  addEventListener("afterprint", () => { for (const element of opened) element.open = false; });

  fillPage();
  fillFilters();
  drawMatrix();
  // An address that names a cell opens it.
  function openAddress() {
    const wanted = /^#([^@]+)@(.+)$/.exec(location.hash);
    if (!wanted) return;
    let rule, name;
    try { [rule, name] = wanted.slice(1).map(decodeURIComponent); } catch { return; }
    const pair = run.pairs.find((item) => item.name === name);
    if (pair && columnsOfTemplate.get(pair.template).length > 1) { expanded.add(pair.template); drawMatrix(); }
    const row = drawn.rules.findIndex((number) => run.rules[number].id === rule);
    const column = drawn.columns.findIndex((item) => (pair ? item.pairs.length === 1 && run.pairs[item.pairs[0]].name === name : item.name === name));
    if (row >= 0 && column >= 0) openCell(row + 1, column + 1);
  }
  openAddress();
  document.documentElement.dataset.ready = "yes";
})();
