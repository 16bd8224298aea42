// Without a connection: what was known last, marked as old, and another attempt as soon as there is hope.
(() => {
  const KEY = "riser.last";
  const DAY_MS = 86_400_000;
  const AGAIN_MS = 30_000;
  const place = document.getElementById("last-known");
  const language = document.documentElement.lang;

  function last() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      if (kept && Date.now() - Date.parse(kept.timestamp) < DAY_MS) return kept;
      localStorage.removeItem(KEY);
    } catch {
      // The browser keeps nothing.
    }
    return null;
  }

  function figure(watts) {
    const [value, unit] = Math.abs(watts) >= 1000 ? [watts / 1000, "kW"] : [watts, "W"];
    return `${value.toLocaleString(language, { maximumFractionDigits: unit === "kW" ? 2 : 0 })} ${unit}`;
  }

  function ago(ms) {
    const [size, unit] = [[3_600_000, "hour"], [60_000, "minute"], [1000, "second"]].find(([least]) => ms >= least) ?? [1000, "second"];
    return new Intl.RelativeTimeFormat(language).format(-Math.max(0, Math.floor(ms / size)), unit);
  }

  function show() {
    const kept = last();
    place.hidden = !kept;
    if (!kept) return;
    const taken = new Date(kept.timestamp);
    const time = taken.toLocaleTimeString(language, { timeZone: kept.zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const words = { time, ago: ago(Date.now() - taken) };
    place.querySelector(".figure").textContent = figure(kept.power);
    place.querySelector(".when").textContent = place.dataset.words.replace(/\{(\w+)\}/g, (_, name) => words[name]);
  }

  // Asks for something small first, so that a page nobody can reach does not blink.
  async function tryAgain() {
    const answer = await fetch(place.dataset.alive, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload();
  }

  show();
  setInterval(show, 10_000);
  setInterval(tryAgain, AGAIN_MS);
  addEventListener("online", tryAgain);
})();
