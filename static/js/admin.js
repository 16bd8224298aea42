// What Django's own scripts and templates leave for a screen reader to stumble over.
addEventListener("load", () => {
  // The question marks of its choosers have a name and no role.
  for (const mark of document.querySelectorAll(".help-tooltip[aria-label]")) mark.setAttribute("role", "img");
  // Heads of columns that say nothing are no heads.
  for (const head of document.querySelectorAll("thead th")) {
    if (!head.textContent.trim() && !head.querySelector("input, img")) head.replaceWith(document.createElement("td"));
  }
});
