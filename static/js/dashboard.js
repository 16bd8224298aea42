// Keeps figures, lamps and what is said of them as fresh as the readings.
(() => {
  const QUIET_MS = 60_000;
  const now = document.getElementById("now");
  const spoken = document.getElementById("spoken");
  const measured = document.getElementById("measured");
  const interrupted = document.getElementById("interrupted");
  const factor = document.getElementById("factor");
  const peak = document.getElementById("peak");
  const offline = document.getElementById("offline");
  const save = document.querySelector("#save button");
  const { zone, stream, after, url } = now.dataset;
  let shown = JSON.parse(document.getElementById("power-data").textContent);
  let shownAt = performance.now();
  let spokenAt = -QUIET_MS;
  let toSpeak = 0;

  function show(data) {
    // One that came late is for the curve only.
    if (shown.timestamp && data.timestamp < shown.timestamp) return showStatus(data.status);
    [shown, shownAt] = [data, performance.now()];
    // Only the stream tells it.
    factor.hidden = typeof data.power_factor !== "number";
    for (const name of ["voltage", "current", "power", "power_factor"]) {
      const figure = now.querySelector(`[data-figure=${name}]`);
      figure.textContent = Riser.figure(data[name]);
      figure.classList.toggle("long", figure.textContent.length > 7);
    }
    save.disabled = data.timestamp === null;
    if (data.timestamp) raisePeak(data);
    showStatus(data.status);
  }

  function raisePeak({ power, timestamp }) {
    const taken = new Date(timestamp);
    const known = peak.dataset.power === "" ? -Infinity : Number(peak.dataset.power);
    if (power <= known || Riser.day(taken, zone) !== Riser.day(new Date(), zone)) return;
    peak.dataset.power = power;
    const when = Riser.time(taken, zone).slice(0, 5);
    peak.textContent = peak.dataset.words.replace("{power}", Riser.figure(power)).replace("{when}", when);
  }

  function showStatus({ listener, broker, meter }) {
    if (now.dataset.state === "over") return;
    const isRecording = listener === "up" && broker === "connected";
    // Past the first part that fails nothing is known, so that one trouble is told once.
    light("listener", listener);
    light("broker", listener === "up" ? broker : "unknown");
    light("meter", isRecording ? meter : "unknown");
    const state = isRecording ? meter : "interrupted";
    const isNews = now.dataset.state !== state;
    now.dataset.state = state;
    interrupted.hidden = isRecording;
    describeTime();
    if (isNews) speak();
  }

  function light(name, state) {
    const lamp = now.querySelector(`[data-lamp=${name}]`);
    lamp.dataset.state = state;
    const words = lamp.querySelector(".word");
    if (words.textContent !== words.dataset[state]) words.textContent = words.dataset[state];
  }

  // Who does not see it hears of a change, once a minute at most: figures that change each second are not told.
  function speak() {
    if (toSpeak) return;
    toSpeak = setTimeout(() => {
      [toSpeak, spokenAt] = [0, performance.now()];
      spoken.textContent = sentence().trim();
    }, spokenAt + QUIET_MS - performance.now());
  }

  function sentence() {
    if (!interrupted.hidden) return interrupted.textContent;
    return isSilent() ? measured.textContent : now.querySelector("[data-lamp=meter] .word").textContent;
  }

  // Who cannot reach Riser does not know what the meter does meanwhile.
  const isSilent = () => offline.hidden && ["stale", "silent"].includes(now.dataset.state);

  const fill = (words, figures) => words.replace(/\{(\w+)\}/g, (_, name) => figures[name]);

  function describeTime() {
    if (!shown.timestamp) return;
    const taken = new Date(shown.timestamp);
    const age = shown.age_seconds + (performance.now() - shownAt) / 1000;
    const [day, time] = [Riser.day(taken, zone), Riser.time(taken, zone)];
    const isToday = Riser.day(new Date(), zone) === day;
    const when = isToday ? time : `${day}, ${time}`;
    const minute = time.slice(0, 5);
    const { words, silent, on } = measured.dataset;
    interrupted.textContent = fill(interrupted.dataset.words, { when });
    measured.textContent = isSilent()
      ? fill(silent, {
          duration: Riser.duration(age),
          power: Riser.wholeWatts(shown.power),
          when: isToday ? minute : fill(on, { time: minute, day }),
        })
      : fill(words, { when, ago: Riser.ago(age) });
  }

  // In their order, once they are there.
  for (const { href } of document.querySelectorAll("link[rel=preload][as=script]")) {
    document.body.append(Object.assign(document.createElement("script"), { src: href, async: false }));
  }
  describeTime();
  setInterval(describeTime, 1000);
  // Of a past that is over nothing new comes.
  if (!stream) return;
  Riser.follow({
    stream,
    after,
    url,
    on: {
      reading(data) {
        show(data);
        if (data.timestamp) document.dispatchEvent(new CustomEvent("reading", { detail: data }));
      },
      status: showStatus,
      missed: () => document.dispatchEvent(new CustomEvent("missed")),
      here() {
        offline.hidden = true;
        now.classList.remove("old");
      },
      gone() {
        offline.hidden = false;
        now.classList.add("old");
      },
    },
  });
})();
