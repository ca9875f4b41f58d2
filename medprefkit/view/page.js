"use strict";
// Filters, linked highlights and keys. Without this script the page shows every pair.
const pairs = [...document.querySelectorAll(".pair")];
const type = document.querySelector("#type"), split = document.querySelector("#split");
const lesion = document.querySelector("#lesion"), boxes = document.querySelector("#boxes");
const bars = [...document.querySelectorAll("[data-type]")];

function filter() {
  let shown = 0;
  for (const pair of pairs) {
    const fits = (!type.value || pair.dataset.types.split(" ").includes(type.value))
      && (!split.value || pair.dataset.split === split.value) && (!lesion.checked || "lesion" in pair.dataset);
    pair.hidden = !fits;
    shown += fits;
  }
  document.querySelector("#count").textContent = shown === 1 ? "1 pair" : `${shown} pairs`;
  for (const bar of bars) bar.setAttribute("aria-pressed", String(bar.dataset.type === type.value));
}

function light(event) {
  const part = event.target.closest("[data-k]"), pair = event.target.closest(".pair");
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (part && pair) for (const twin of pair.querySelectorAll(`[data-k="${part.dataset.k}"]`)) twin.classList.add("lit");
}

function step(by) {
  const open = pairs.filter((pair) => !pair.hidden);
  const top = (pair) => pair.getBoundingClientRect().top - 64;
  const next = by > 0 ? open.find((pair) => top(pair) > 4) : open.findLast((pair) => top(pair) < -4);
  if (next) next.scrollIntoView();
}

document.querySelector(".filters").hidden = false;
for (const control of [type, split, lesion]) control.addEventListener("change", filter);
boxes.addEventListener("change", () => document.body.classList.toggle("no-boxes", !boxes.checked));
for (const bar of bars) bar.addEventListener("click", () => {
  type.value = type.value === bar.dataset.type ? "" : bar.dataset.type;
  filter();
});
for (const moved of ["mouseover", "focusin"]) document.addEventListener(moved, light);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
});
filter();
