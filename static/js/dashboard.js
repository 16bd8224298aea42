// Keeps the figures and lamps fresh without reloading the page, and saves readings.
(() => {
  const EVERY_MS = 2000;
  const now = document.getElementById("now");
  const measured = document.getElementById("measured");
  const offline = document.getElementById("offline");
  const save = document.getElementById("save");
  const saved = document.getElementById("saved");
  const zone = now.dataset.zone;

  function show(data) {
    for (const name of ["voltage", "current", "power"]) {
      const figure = now.querySelector(`[data-figure=${name}]`);
      figure.textContent = Riser.figure(data[name]);
      figure.classList.toggle("long", figure.textContent.length > 7);
    }
    for (const [name, state] of Object.entries(data.status)) {
      const lamp = now.querySelector(`[data-lamp=${name}]`);
      lamp.dataset.state = state;
      const words = lamp.querySelector(".word");
      words.textContent = words.dataset[state];
    }
    now.dataset.meter = data.status.meter;
    save.querySelector("button").disabled = data.timestamp === null;
    if (data.timestamp) describeTime(new Date(data.timestamp), data);
  }

  function describeTime(taken, data) {
    const today = Riser.day(new Date(), zone) === Riser.day(taken, zone);
    const when = `${today ? "" : `${Riser.day(taken, zone)}, `}${Riser.time(taken, zone)}`;
    const silent = `No reading for ${Riser.duration(data.age_seconds)}: this was measured ${when}`;
    measured.textContent = data.status.meter === "live" ? `Measured ${when}, ${Riser.ago(data.age_seconds)}` : silent;
  }

  async function latest() {
    const answer = await fetch(now.dataset.url, { cache: "no-store", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(5000) });
    // The session ended or the apartment is no longer ours: the server knows which page comes next.
    if ([401, 403, 404].includes(answer.status)) location.reload();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  }

  async function poll() {
    const data = await latest().catch(() => null);
    offline.hidden = data !== null;
    now.classList.toggle("old", data === null);
    if (data) show(data);
    setTimeout(poll, EVERY_MS);
  }

  save.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = save.querySelector("button");
    button.disabled = true;
    saved.textContent = "";
    try {
      const answer = await fetch(save.action, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": save.elements.csrfmiddlewaretoken.value },
        body: JSON.stringify({ note: save.elements.note.value }),
      });
      const result = await answer.json();
      if (answer.status === 201) {
        saved.textContent = `Saved ${Riser.figure(result.power)} W of ${Riser.time(new Date(result.timestamp), zone)}.`;
        save.reset();
      } else {
        saved.textContent = typeof result.detail === "string" ? `Not saved. ${result.detail}` : "Not saved. The note is too long or holds an invisible character.";
      }
    } catch {
      saved.textContent = "Not saved: no connection to Riser. Try again.";
    }
    button.disabled = false;
  });

  // New readings arrive over the stream at once; where streams are blocked, polling shows them a little later.
  new EventSource(now.dataset.stream).addEventListener("reading", (event) => show(JSON.parse(event.data)));

  show(JSON.parse(document.getElementById("power-data").textContent));
  setTimeout(poll, EVERY_MS);
})();
