// The line to the server: news come over a stream; where none gets through, they are asked for.
Riser.follow = ({ stream, after, url, on }) => {
  // The server says something every 15 seconds.
  const SILENT_MS = 35_000;
  const TICK_MS = 2000;
  const AGAIN_MS = 30_000;
  let source = null;
  // What comes before the stream is open is told as well.
  let last = after;
  let heardAt = 0;
  let openedAt = 0;

  function open() {
    source?.close();
    openedAt = performance.now();
    source = new EventSource(last ? `${stream}${stream.includes("?") ? "&" : "?"}after=${last}` : stream);
    listen("reading", (event) => {
      last = event.lastEventId;
      on.reading(JSON.parse(event.data));
    });
    listen("status", (event) => on.status(JSON.parse(event.data)));
    listen("missed", () => on.missed());
  }

  function listen(name, act) {
    source.addEventListener(name, (event) => {
      heardAt = performance.now();
      on.here();
      act(event);
    });
  }

  const isAlive = () => source.readyState === EventSource.OPEN && performance.now() - heardAt < SILENT_MS;

  async function ask() {
    const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(5000) });
    // The session ended or the apartment is no longer ours: the server knows which page comes next.
    if ([401, 403, 404].includes(answer.status)) location.reload();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  }

  async function tick() {
    if (!document.hidden && !isAlive()) {
      if (source.readyState === EventSource.CLOSED && performance.now() - openedAt > AGAIN_MS) open();
      const data = await ask().catch(() => null);
      // Meanwhile the stream may have come back with something newer.
      if (!isAlive()) {
        if (data) on.here();
        else on.gone();
        if (data) on.reading(data);
      }
    }
    setTimeout(tick, TICK_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source.close();
    else open();
  });
  // A page that the browser kept and shows again has no stream any more.
  addEventListener("pageshow", (event) => event.persisted && open());

  open();
  setTimeout(tick, TICK_MS);
};
