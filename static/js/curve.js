// The curve of power over time: the mean of each step as a line, its highest value as a shade above.
(() => {
  const AGAIN_MS = 30_000;
  const element = document.getElementById("curve");
  if (!element) return;
  const { zone, begin, end, url } = element.dataset;
  const peakText = document.getElementById("peak");
  const emptyText = document.getElementById("curve-empty");
  let data = { step: 0, times: [], mean: [], peak: [] };
  let chart = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const hour = (seconds) =>
    new Date(seconds * 1000).toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  const day = (seconds) =>
    new Date(seconds * 1000).toLocaleDateString("en-GB", { timeZone: zone, day: "numeric", month: "short" });
  // Hours; where a new day begins, its date instead.
  const labels = (splits, step) =>
    splits.map((split, index) => {
      const newDay = index === 0 || day(split) !== day(splits[index - 1]);
      return step >= 86400 || (newDay && !begin) ? day(split) : hour(split);
    });

  function options() {
    const axis = { stroke: colour("--riser-axis"), grid: { stroke: colour("--riser-grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    return {
      width: element.clientWidth,
      height: element.clientWidth < 500 ? 190 : 260,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { range: (_, low, high) => (begin ? [Number(begin), Number(end)] : [low, high]) },
        y: { range: (_, low, high) => [Math.min(0, low), Math.max(high, 100) * 1.06] },
      },
      series: [
        {},
        { stroke: colour("--riser-peak"), width: 1, fill: colour("--riser-shade"), points: { show: false } },
        { stroke: colour("--riser-line"), width: 2, points: { show: data.times.length < 3, size: 6 } },
      ],
      axes: [
        { ...axis, size: 32, space: 60, values: (_, splits, _axis, _space, step) => labels(splits, step) },
        { ...axis, size: 52, values: (_, splits) => splits.map((split) => (Math.abs(split) >= 1000 ? `${split / 1000} kW` : `${split} W`)) },
      ],
    };
  }

  function describePeak() {
    const known = data.peak.filter((value) => value !== null);
    emptyText?.toggleAttribute("hidden", known.length > 0);
    element.hidden = known.length === 0;
    if (!known.length) return;
    const highest = Math.max(...known);
    const at = data.times[data.peak.indexOf(highest)];
    const words = `Highest: ${Riser.figure(highest)} W ${data.step > 60 ? "around" : "at"} ${begin ? "" : `${day(at)}, `}${hour(at)}`;
    peakText.textContent = words;
    element.setAttribute("aria-label", `Power over time. ${words}.`);
  }

  function draw() {
    chart?.destroy();
    chart = null;
    describePeak();
    if (data.times.length) chart = new uPlot(options(), [data.times, data.peak, data.mean], element);
  }

  async function refresh() {
    const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" } }).catch(() => null);
    // Without an answer the old curve stays, and another attempt is made.
    if (!answer?.ok) return setTimeout(refresh, AGAIN_MS);
    data = await answer.json();
    draw();
    if ("follow" in element.dataset) setTimeout(refresh, AGAIN_MS);
  }

  new ResizeObserver(() => {
    if (chart && chart.width !== element.clientWidth) draw();
  }).observe(element.parentElement);
  document.documentElement.addEventListener("themechange", draw);
  refresh();
})();
