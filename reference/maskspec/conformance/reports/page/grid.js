// A matrix that is walked with the arrow keys: one stop for the tab key, heads that stick to the edges.

// `activate` opens the cell at a place, [row, column] with the heads at 0; `describe` is its tool tip, made when needed.
function grid(box, { label, corner, activate, describe }) {
  let cells = [];
  let focus = [1, 1];

  // `columns` and `rows` have a head each; `paint` fills the cell of a row and a column.
  function draw({ columns, rows, paint, nothing }) {
    if (!rows.length || !columns.length) {
      cells = [];
      box.classList.remove("narrow");
      box.replaceChildren(make("p", { class: "nothing", text: nothing }));
      return;
    }
    const head = make("tr", { role: "row" }, make("th", { class: "corner", role: "columnheader", scope: "col", text: corner }));
    const first = [null];
    columns.forEach((column, at) => {
      const th = make("th", {
        role: "columnheader", scope: "col", tabindex: "-1", class: column.style || null, "aria-label": column.label || column.name, title: column.title,
        "aria-expanded": column.expanded === undefined ? null : String(column.expanded),
      }, make("div", { class: "name", text: column.name }), make("span", { class: "fold", "aria-hidden": "true", text: column.expanded === undefined ? "\u00a0" : column.expanded ? "▾" : "▸" }));
      th.place = [0, at + 1];
      first.push(th);
      head.append(th);
    });
    cells = [first];
    const table = make("table", { class: "grid", role: "grid", "aria-label": label, "aria-readonly": "true" }, make("thead", { role: "rowgroup" }, head));
    const prototype = document.createElement("td");
    prototype.setAttribute("role", "gridcell");
    prototype.tabIndex = -1;
    let group = null;
    let last = null;
    rows.forEach((row, number) => {
      if (!group || row.group !== last) {
        last = row.group;
        group = make("tbody", { role: "rowgroup", "aria-label": row.group });
        table.append(group);
      }
      const line = make("tr", { role: "row" });
      const name = make("th", { role: "rowheader", scope: "row", tabindex: "-1", title: row.title }, ...row.head);
      name.place = [number + 1, 0];
      line.append(name);
      const drawn = [name];
      for (let at = 0; at < columns.length; at += 1) {
        const td = prototype.cloneNode(false);
        paint(td, number, at);
        td.place = [number + 1, at + 1];
        drawn.push(td);
        line.append(td);
      }
      cells.push(drawn);
      group.append(line);
    });
    box.replaceChildren(table);
    // A matrix narrower than the text starts where the text does; a wider one may use the whole window.
    box.classList.remove("narrow");
    box.classList.toggle("narrow", table.offsetWidth <= box.previousElementSibling.offsetWidth);
    focus = [Math.min(focus[0], cells.length - 1), Math.min(focus[1], columns.length)];
    const current = cells[focus[0]][focus[1]] || cells[1][1];
    current.tabIndex = 0;
    focus = current.place;
  }

  const at = (row, column) => cells[row] && cells[row][column];
  function moveTo(row, column, scroll) {
    const next = at(row, column);
    if (!next) return;
    const old = at(...focus);
    if (old) old.tabIndex = -1;
    focus = [row, column];
    next.tabIndex = 0;
    next.focus({ preventScroll: true });
    if (scroll !== false) reveal(next);
  }
  // A cell must not stay under the heads that stick to the edges.
  function reveal(cell) {
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    const outer = box.getBoundingClientRect();
    const inner = cell.getBoundingClientRect();
    const edge = box.querySelector(".corner").getBoundingClientRect();
    if (cell.place[0] > 0 && inner.top < outer.top + edge.height) box.scrollTop -= outer.top + edge.height - inner.top;
    if (cell.place[1] > 0 && inner.left < outer.left + edge.width) box.scrollLeft -= outer.left + edge.width - inner.left;
  }
  const placed = (event, kinds) => { const cell = event.target.closest(kinds); return cell && cell.place ? cell : null; };
  box.addEventListener("click", (event) => {
    const cell = placed(event, "td, th");
    if (!cell) return;
    moveTo(...cell.place, false);
    activate(...cell.place);
  });
  box.addEventListener("pointerover", (event) => {
    const cell = placed(event, "td");
    if (cell && !cell.title) cell.title = describe(...cell.place);
  });
  box.addEventListener("keydown", (event) => {
    const cell = placed(event, "td, th");
    if (!cell || event.altKey || event.metaKey) return;
    const [row, column] = cell.place;
    const [bottom, right] = [cells.length - 1, cells[0].length - 1];
    const go = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: event.ctrlKey ? [1, 0] : [row, row === 0 ? 1 : 0], End: event.ctrlKey ? [bottom, right] : [row, right],
      PageUp: [Math.max(row - 10, 0), column], PageDown: [Math.min(row + 10, bottom), column],
    }[event.key];
    if (go) moveTo(go[0] === 0 && go[1] === 0 ? row : go[0], go[0] === 0 && go[1] === 0 ? column : go[1]);
    else if (event.key === "Enter" || event.key === " ") activate(row, column);
    else return;
    event.preventDefault();
  });

  // The next cell in reading order, or the one before, that tells of a finding.
  function neighbour(row, column, way) {
    const flat = cells.slice(1).flatMap((line) => line.slice(1));
    for (let place = flat.indexOf(at(row, column)) + way; place >= 0 && place < flat.length; place += way) {
      if (flat[place].telling && !flat[place].classList.contains("dim")) return flat[place].place;
    }
    return null;
  }
  const setFocus = (row, column) => { focus = [row, column]; };
  return { at, draw, moveTo, neighbour, setFocus };
}

// A cell in one of the states, with a number beside the sign where there is one; `dim` steps back.
function paintState(td, state, { dim = false, number = 0 } = {}) {
  const { glyph, style, name } = STATES[state];
  td.textContent = number ? `${glyph} ${number}` : glyph;
  td.className = dim ? `${style} dim` : style;
  td.setAttribute("aria-label", number ? `${name}, ${number}` : name);
  td.telling = state <= NOTED;
}

// Buttons that choose states; each says how many cells are in it.
function stateChips(box, totals, chosen, changed) {
  box.replaceChildren(...STATES.flatMap((state, number) => {
    if (!totals[number]) return [];
    const chip = make("button", { type: "button", class: "chip", "aria-pressed": "false", "data-state": state.key }, mark(number), state.name, make("span", { class: "n", text: totals[number].toLocaleString("en") }));
    chip.addEventListener("click", () => {
      if (!chosen.delete(number)) chosen.add(number);
      chip.setAttribute("aria-pressed", String(chosen.has(number)));
      changed();
    });
    return [chip];
  }));
}
function clearChips(box, chosen) {
  chosen.clear();
  for (const chip of box.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", "false");
}

const ruleMatches = (rule, family, text) => (!family || rule.family === family) && (!text || `${rule.id} ${rule.title}`.toLowerCase().includes(text));
const ruleHead = (rule) => [make("span", { class: "rule-id", text: rule.id }), rule.level === "MUST" ? null : make("span", { class: "should", text: rule.level }), make("span", { class: "title", text: rule.title })];
