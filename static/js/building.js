// Keeps the picture of each building as fresh as its readings: the server draws it anew, what differs is exchanged.
(() => {
  const EVERY_MS = 5000;
  const PATIENCE_MS = 10_000;

  async function ask(url) {
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    // Logged out, or the building is no longer theirs: the server knows which page comes next.
    if (answer.redirected || [401, 403, 404].includes(answer.status)) location.reload();
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-picture]");
  }

  const partsOf = (house) => [...house.querySelectorAll("[data-part]")];

  function bringUpToDate(house, fresh) {
    const before = partsOf(house);
    const after = partsOf(fresh);
    const isSameHouse = before.length === after.length && before.every((part, i) => part.dataset.part === after[i].dataset.part);
    if (!isSameHouse) return rebuild(house, fresh);
    before.forEach((part, i) => {
      if (part.isEqualNode(after[i])) return;
      // The element stays, and with it the focus.
      part.className = after[i].className;
      part.replaceChildren(...after[i].childNodes);
    });
  }

  function rebuild(house, fresh) {
    const focused = document.activeElement.dataset.part;
    house.replaceChildren(...fresh.childNodes);
    if (focused) house.querySelector(`[data-part="${focused}"]`)?.focus();
  }

  function say(house, isOld) {
    const notice = house.querySelector("[data-old]");
    const words = isOld ? notice.dataset.old.replace("{time}", house.querySelector("[data-time]").dataset.time) : "";
    house.classList.toggle("old", isOld);
    // Said once, not every few seconds.
    if (notice.textContent !== words) notice.textContent = words;
  }

  function keepFresh(house) {
    let timer = 0;
    let isAsking = false;

    async function refresh() {
      clearTimeout(timer);
      if (document.hidden || isAsking) return;
      isAsking = true;
      const fresh = await ask(house.dataset.picture).catch(() => null);
      isAsking = false;
      if (fresh) bringUpToDate(house, fresh);
      say(house, !fresh);
      timer = setTimeout(refresh, EVERY_MS);
    }

    // A page in the background asks nothing; seen again, it asks at once.
    document.addEventListener("visibilitychange", refresh);
    addEventListener("pageshow", (event) => event.persisted && refresh());
    timer = setTimeout(refresh, EVERY_MS);
  }

  document.querySelectorAll("[data-picture]").forEach(keepFresh);
})();
