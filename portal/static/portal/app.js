// What a page can do beyond links and forms: copy a digest, fold and unfold, close what is open, send a form once, say
// when a live part cannot be refreshed. Every page works without this file.
"use strict";

const toast = () => document.getElementById("toast");

function say(words) {
  const place = toast();
  if (!place) return;
  place.textContent = words;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { place.textContent = ""; }, 4000);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      say(button.dataset.copied);
    } catch {
      // No clipboard (plain http, or refused): the whole is on the page, so select it for the keyboard.
      const whole = button.parentElement.querySelector(".tip");
      if (whole) window.getSelection().selectAllChildren(whole);
    }
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.activeElement?.closest("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  for (const tip of document.querySelectorAll(".digest, .when")) {
    if (tip.matches(":hover, :focus, :focus-within")) tip.classList.add("tip-hushed");
  }
});
for (const gone of ["mouseout", "focusout"]) {
  document.addEventListener(gone, (event) => event.target.closest?.(".tip-hushed")?.classList.remove("tip-hushed"));
}

// What is folded opens where a link leads to it, all of it on paper, and all at once for who wants that.
function unfold_target() {
  const target = document.querySelector(":target");
  const fold = target && (target.closest("details") || target.querySelector(":scope > details"));
  if (!fold || fold.open) return;
  fold.open = true;
  target.scrollIntoView();
}
window.addEventListener("hashchange", unfold_target);
unfold_target();
window.addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll(".fold > details:not([open]), .gate-met:not([open])")) {
    fold.open = true;
    fold.dataset.printed = "";
  }
});
window.addEventListener("afterprint", () => {
  for (const fold of document.querySelectorAll("details[data-printed]")) {
    fold.open = false;
    delete fold.dataset.printed;
  }
});
for (const button of document.querySelectorAll("[data-unfold]")) {
  const folds = () => document.querySelectorAll(".fold > details");
  button.hidden = folds().length < 2;
  button.addEventListener("click", () => {
    const open = [...folds()].some((fold) => !fold.open);
    for (const fold of folds()) fold.open = open;
  });
}

// The server refuses a second click as well; this only spares the person the sentence.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A table set as blocks on a phone loses its meaning for screen readers unless it is said again.
function name_tables(root) {
  for (const table of root.querySelectorAll("table.stack-cells")) {
    table.setAttribute("role", "table");
    for (const part of table.querySelectorAll("thead, tbody, tfoot")) part.setAttribute("role", "rowgroup");
    for (const row of table.querySelectorAll("tr")) row.setAttribute("role", "row");
    for (const cell of table.querySelectorAll("td")) cell.setAttribute("role", "cell");
    for (const head of table.querySelectorAll("th")) head.setAttribute("role", head.closest("thead") ? "columnheader" : "rowheader");
  }
}
name_tables(document);
document.addEventListener("htmx:load", (event) => name_tables(event.target));

for (const trouble of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  // What is asked for once, as the number in the navigation, is left out without a word.
  document.addEventListener(trouble, (event) => {
    if (event.target.getAttribute?.("hx-trigger") !== "load") say(document.body.dataset.stale);
  });
}
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form[data-sent]");
  if (form) delete form.dataset.sent;
});
