// What makes Riser stay with a device: the service worker, and the last known reading for the page without a connection.
// The reading lies on this device only, and goes when its owner logs out (offline.js drops what is older than a day).
(() => {
  const KEY = "riser.last";
  const { worker, logout, visitor } = document.currentScript.dataset;
  const shown = document.getElementById("power-data");
  let mayKeep = visitor === undefined;
  let newest = "";

  // A browser may refuse to keep anything; then there is nothing to show or to forget.
  function store(act) {
    try {
      act(localStorage);
    } catch {
      mayKeep = false;
    }
  }

  function keep({ timestamp, power }) {
    // One that came late is not the last known.
    if (!mayKeep || !timestamp || timestamp < newest) return;
    newest = timestamp;
    const zone = document.getElementById("now")?.dataset.zone;
    store((place) => place.setItem(KEY, JSON.stringify({ timestamp, power, zone })));
  }

  function forget() {
    mayKeep = false;
    store((place) => place.removeItem(KEY));
  }

  // Whoever sees a page for visitors is logged out, in whichever way that happened.
  if (!mayKeep) forget();
  else if (shown) keep(JSON.parse(shown.textContent));
  document.addEventListener("reading", ({ detail }) => keep(detail));
  document.addEventListener("submit", ({ target }) => {
    if (new URL(target.getAttribute("action") ?? "", location.href).pathname === logout) forget();
  });
  // Another tab has logged out.
  addEventListener("storage", ({ key, newValue }) => {
    if (key === KEY && newValue === null) mayKeep = false;
  });
  // There is none where the page came over plain HTTP, except from this machine itself.
  if ("serviceWorker" in navigator) addEventListener("load", () => navigator.serviceWorker.register(worker).catch(() => {}));
})();
