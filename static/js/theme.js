// Light or dark: as chosen on this device, else as the system has it. Runs before the page is drawn, so that nothing
// flashes. The server keeps the choice (config/theme.py); here it takes effect at once.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let onPaper = false;

  const kept = () => document.cookie.match(/(?:^|; )theme=(light|dark)(?:;|$)/)?.[1] ?? "auto";

  function apply(choice = kept()) {
    const theme = onPaper ? "light" : choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
    // Django's admin goes by the first, Bootstrap by the second, Swagger by the third.
    root.dataset.theme = onPaper ? "light" : choice;
    if (root.dataset.bsTheme === theme && root.classList.contains("dark-mode") === (theme === "dark")) return;
    root.dataset.bsTheme = theme;
    root.classList.toggle("dark-mode", theme === "dark");
    document.querySelector("meta[name=theme-color]")?.setAttribute("content", theme === "dark" ? "#0b2f3a" : "#0f4c5c");
    root.dispatchEvent(new Event("themechange"));
  }

  function press(choice) {
    for (const button of document.querySelectorAll("button[name=theme]")) {
      button.setAttribute("aria-pressed", String(button.value === choice));
    }
  }

  document.addEventListener("submit", (event) => {
    if (event.submitter?.name !== "theme") return;
    event.preventDefault();
    const body = new FormData(event.target, event.submitter);
    apply(event.submitter.value);
    press(event.submitter.value);
    // Without a connection it holds for this page.
    fetch(event.target.action, { method: "POST", body, redirect: "manual", keepalive: true }).catch(() => {});
  });
  dark.addEventListener("change", () => apply());
  // Another tab may have chosen.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    apply();
    press(kept());
  });
  for (const [name, paper] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(name, () => {
      onPaper = paper;
      apply();
    });
  }
  apply();
})();
