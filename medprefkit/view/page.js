"use strict";
// Pages of pairs, filters, search, keys, comparison of pictures, review. Without it the page shows its first pairs.
const PAGE = 24;
const $ = (selector, within = document) => within.querySelector(selector);
const parsed = (node) => JSON.parse(node.textContent);
const batches = [...document.querySelectorAll("script.cards")];
const facts = [...document.querySelectorAll("script.facts")].flatMap(parsed);
const drops = parsed($("#drops"));
const list = $("#pairs"), bars = [...document.querySelectorAll("[data-type]")];
const controls = Object.fromEntries(
  ["search", "type", "source", "checker", "split", "drop", "reviewed", "lesion", "boxes", "changed"].map((id) => [id, $(`#${id}`)]));
const { search, type, source, checker, split, drop, reviewed, lesion, boxes, changed } = controls;
let found = facts, first = 0, current = -1;
let batchRead = 0, batchCards = [...list.querySelectorAll(".pair")].map((card) => card.outerHTML);
const firstCards = batchCards;

for (const fact of facts) fact.words = `${fact.text}\n${fact.chosen}`.toLowerCase();

function element(name, text = "", classes = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = classes;
  return made;
}

function offer(select, names, fewest) {
  for (const name of [...new Set(names)].sort()) {
    const option = element("option", name.replaceAll("_", " "));
    option.value = name;
    select.append(option);
  }
  select.closest("label").hidden = select.options.length - 1 < fewest; // after "all"
}

// ---- review ----
const storeKey = `medprefkit review ${document.documentElement.dataset.set}`;
const decisions = new Map();

function remember() {
  try {
    localStorage.setItem(storeKey, JSON.stringify([...decisions.values()]));
  } catch {
    $("#decided").title = "This browser keeps nothing for this page: save before you close it.";
  }
  $("#save").disabled = decisions.size === 0;
  $("#decided").textContent = decisions.size ? `${decisions.size} of ${facts.length} reviewed` : "";
}

function recall() {
  let kept = null;
  try {
    kept = localStorage.getItem(storeKey);
  } catch {
    return; // no storage: the reviewer saves the file instead
  }
  const known = new Map(facts.map((fact) => [fact.id, fact.digest]));
  for (const decision of JSON.parse(kept ?? "[]")) {
    if (known.get(decision.id) === decision.digest) decisions.set(decision.id, decision);
  }
}

function decide(card, kind) {
  const fact = facts[Number(card.id.slice(1)) - 1], was = decisions.get(fact.id);
  if (!kind || (was && was.decision === kind && kind !== "fix")) decisions.delete(fact.id);
  else decisions.set(fact.id, { id: fact.id, digest: fact.digest, decision: kind, chosen: kind === "fix" ? was?.chosen || fact.chosen : "" });
  remember();
  showDecision(card);
  if (kind === "fix") $("textarea", card).focus();
}

function showDecision(card) {
  const fact = facts[Number(card.id.slice(1)) - 1], decision = decisions.get(fact.id);
  for (const button of card.querySelectorAll("[data-decision]"))
    button.setAttribute("aria-pressed", String(button.dataset.decision === decision?.decision));
  const text = $("textarea", card);
  text.hidden = $(".fix-hint", card).hidden = decision?.decision !== "fix";
  if (!text.hidden) text.value = decision.chosen;
}

function addReview(card) {
  const bar = element("div", "", "decide");
  for (const kind of ["accept", "reject", "fix"]) {
    const button = element("button", kind);
    button.type = "button";
    button.dataset.decision = kind;
    button.addEventListener("click", () => decide(card, kind));
    bar.append(button);
  }
  const text = element("textarea");
  text.rows = 4;
  text.dir = "auto";
  text.setAttribute("aria-label", "The edited text as it should be");
  text.addEventListener("input", () => {
    decisions.get(facts[Number(card.id.slice(1)) - 1].id).chosen = text.value;
    remember();
  });
  bar.append(text, element("p", "The text is read and judged again when it is built in, and refused where it does not hold.", "hint fix-hint"));
  card.append(bar);
  showDecision(card);
}

function save() {
  const lines = facts.filter((fact) => decisions.has(fact.id)).map((fact) => `${JSON.stringify(decisions.get(fact.id))}\n`);
  const link = element("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "decisions.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- pictures ----
function compare(row) {
  const [clean, corrupted] = ["clean", "corrupted"].map((role) => $(`[data-role="${role}"] .frame`, row));
  if (!clean || !corrupted) return;
  const figure = element("figure", "", "compare"), frame = element("div", "", "frame"), caption = element("figcaption");
  frame.style.setProperty("--ratio", clean.style.getPropertyValue("--ratio"));
  for (const [side, from] of [["under", corrupted], ["over", clean]]) {
    const image = element("img", "", side);
    image.src = $("img", from).src;
    image.alt = side === "over" ? "clean" : "lesion removed";
    frame.append(image);
  }
  const slider = element("input");
  Object.assign(slider, { type: "range", min: 0, max: 100, value: 50 });
  slider.setAttribute("aria-label", "clean on the left of this place, lesion removed on its right");
  slider.addEventListener("input", () => frame.style.setProperty("--at", `${slider.value}%`));
  const mode = element("button", "difference");
  mode.type = "button";
  mode.className = "mode";
  mode.setAttribute("aria-pressed", "false");
  mode.addEventListener("click", () => {
    const on = figure.classList.toggle("difference");
    mode.setAttribute("aria-pressed", String(on));
    slider.disabled = on;
  });
  caption.append(slider, mode);
  figure.append(frame, caption);
  row.append(figure);
  row.classList.add("compared");
}

// ---- the list ----
function cardOf(fact) {
  const batch = Math.floor((fact.n - 1) / PAGE);
  if (batch !== batchRead) [batchRead, batchCards] = [batch, batch ? parsed(batches[batch - 1]) : firstCards];
  const holder = document.createElement("template");
  holder.innerHTML = batchCards[(fact.n - 1) % PAGE]; // escaped when the page was written
  const card = holder.content.firstElementChild;
  for (const row of card.querySelectorAll(".pictures")) compare(row);
  addReview(card);
  return card;
}

function dropOf(dropped) {
  const card = element("article", "", "pair left-out");
  const head = element("h3"), id = element("bdi", dropped.id);
  head.append(id, element("span", `${dropped.reason.replaceAll("_", " ")} · ${dropped.stage}`, "meta"));
  card.append(head);
  const detail = element("p", dropped.detail);
  detail.dir = "auto";
  card.append(detail);
  return card;
}

function render() {
  const page = found.slice(first, first + PAGE);
  list.replaceChildren(...page.map((entry) => ("reason" in entry ? dropOf(entry) : cardOf(entry))));
  if (!found.length) list.append(element("p", facts.length ? "Nothing fits these filters." : "There is no pair to show.", "hint"));
  current = -1;
  $(".pager").hidden = found.length <= PAGE;
  $("#place").textContent = `${first + 1} to ${Math.min(first + PAGE, found.length)} of ${found.length}`;
  $("#before").disabled = first === 0;
  $("#after").disabled = first + PAGE >= found.length;
}

function fits(fact, words) {
  return (!type.value || fact.types.includes(type.value)) && (!source.value || fact.source === source.value)
    && (!checker.value || fact.checkers.includes(checker.value)) && (!split.value || fact.split === split.value)
    && (!lesion.checked || fact.lesion) && words.every((word) => fact.words.includes(word))
    && (!reviewed.value || (decisions.get(fact.id)?.decision ?? "open") === reviewed.value);
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  found = drop.value
    ? drops.filter((one) => one.reason === drop.value && words.every((word) => `${one.id} ${one.detail}`.toLowerCase().includes(word)))
    : facts.filter((fact) => fits(fact, words));
  first = 0;
  const noun = drop.value ? "left out" : found.length === 1 ? "pair" : "pairs";
  $("#count").textContent = `${found.length} ${noun}`;
  for (const bar of bars) bar.setAttribute("aria-pressed", String(bar.dataset.type === type.value));
  render();
}

function turn(by) {
  const next = first + by * PAGE;
  if (next < 0 || next >= found.length) return false;
  first = next;
  render();
  $(".filters").scrollIntoView();
  return true;
}

function go(to) {
  for (const card of list.querySelectorAll(".current")) card.classList.remove("current");
  current = to;
  list.children[to].classList.add("current");
  list.children[to].scrollIntoView();
}

function step(by) {
  const to = current + by, last = Math.min(PAGE, found.length - first) - 1;
  if (to >= 0 && to <= last) go(to);
  else if (to > last && turn(1)) go(0);
  else if (to < 0 && turn(-1)) go(PAGE - 1);
}

function goToHash() {
  const number = Number(/^#p(\d+)$/.exec(location.hash)?.[1]);
  const place = found.findIndex((entry) => entry.n === number);
  if (place < 0) return;
  first = place - (place % PAGE);
  render();
  go(place - first);
}

function light(event) {
  const part = event.target.closest?.("[data-k]"), pair = event.target.closest?.(".pair");
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (part && pair) for (const twin of pair.querySelectorAll(`[data-k="${part.dataset.k}"]`)) twin.classList.add("lit");
}

function press(key) {
  const card = list.children[current];
  const reviewable = card && $(".decide", card);
  if (key === "j") step(1);
  else if (key === "k") step(-1);
  else if (key === "n") turn(1);
  else if (key === "p") turn(-1);
  else if (key === "/") search.focus();
  else if (key === "m") changed.click();
  else if (key === "b") boxes.click();
  else if (key === "d" && card) for (const button of card.querySelectorAll(".mode")) button.click();
  else if (reviewable && key in { a: 1, r: 1, f: 1 }) decide(card, { a: "accept", r: "reject", f: "fix" }[key]);
  else if (reviewable && key === "u") decide(card, null);
  else return false;
  return true;
}

const bar = $(".filters");
bar.hidden = false;
new ResizeObserver(() => document.documentElement.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
offer(source, facts.map((fact) => fact.source), 2);
offer(checker, facts.flatMap((fact) => fact.checkers), 2);
offer(drop, drops.map((one) => one.reason), 1);
split.closest("label").hidden = split.options.length < 3;
for (const control of [type, source, checker, split, drop, reviewed, lesion]) control.addEventListener("change", filter);
let waiting = 0;
search.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, 120);
});
boxes.addEventListener("change", () => document.body.classList.toggle("no-boxes", !boxes.checked));
changed.addEventListener("change", () => document.body.classList.toggle("show-changed", changed.checked));
for (const bar of bars) bar.addEventListener("click", () => {
  type.value = type.value === bar.dataset.type ? "" : bar.dataset.type;
  filter();
});
$("#before").addEventListener("click", () => turn(-1));
$("#after").addEventListener("click", () => turn(1));
$("#save").addEventListener("click", save);
window.addEventListener("hashchange", goToHash);
for (const moved of ["mouseover", "focusin"]) document.addEventListener(moved, light);
list.addEventListener("click", (event) => {
  const place = [...list.children].indexOf(event.target.closest(".pair"));
  if (place >= 0 && place !== current) {
    list.children[current]?.classList.remove("current");
    list.children[place].classList.add("current");
    current = place;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.blur?.();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  if (press(event.key)) event.preventDefault();
});
recall();
remember();
filter();
goToHash();
