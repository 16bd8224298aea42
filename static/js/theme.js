// Follows the system's choice of light or dark. Runs before the page is drawn, so that nothing flashes.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light";
    document.documentElement.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  apply();
})();
