// The curve of power over time: the mean of each step as a line, its highest value as a shade above.
(() => {
  const AGAIN_MS = 30_000;
  const SHORTEST_SECONDS = 60;
  const element = document.getElementById("curve");
  if (!element) return;
  const { zone, begin, end, url } = element.dataset;
  const peakText = document.getElementById("peak");
  const whole = document.getElementById("whole");
  const emptyText = document.getElementById("curve-empty");
  let data = { step: 0, times: [], mean: [], peak: [], saved: [] };
  let chart = null;
  let timer = 0;
  let shown = url;

  const { colour } = Riser.chart;
  const hour = (seconds) => Riser.chart.hour(seconds, zone);
  const day = (seconds) => Riser.chart.day(seconds, zone);
  // Hours; where a new day begins, its date instead.
  const labels = (splits, step) =>
    splits.map((split, index) => {
      const newDay = index === 0 || day(split) !== day(splits[index - 1]);
      return step >= 86400 || (newDay && !begin) ? day(split) : hour(split);
    });

  // Drawn over with a finger or a mouse: that part alone, as fine as it is known.
  function zoom(plot) {
    const { left, width } = plot.select;
    const [first, last] = [left, left + width].map((x) => Math.round(plot.posToVal(x, "x")));
    if (last - first >= SHORTEST_SECONDS) show(`${url}${url.includes("?") ? "&" : "?"}begin=${first}&end=${last}`);
  }

  function show(address) {
    shown = address;
    whole?.toggleAttribute("hidden", shown === url);
    refresh();
  }

  // A star where a reading was saved.
  function mark(plot) {
    plot.ctx.fillStyle = colour("--riser-star");
    plot.ctx.font = `${14 * devicePixelRatio}px system-ui`;
    plot.ctx.textAlign = "center";
    for (const { time, power } of data.saved) {
      plot.ctx.fillText("★", plot.valToPos(time, "x", true), plot.valToPos(power, "y", true) - 4 * devicePixelRatio);
    }
  }

  function options() {
    return Riser.chart.options(element, {
      heights: [190, 260],
      times: { values: (_, splits, _axis, _space, step) => labels(splits, step) },
      units: Riser.chart.watts,
      cursor: { drag: { x: !begin, y: false, setScale: false }, points: { show: false } },
      hooks: { draw: [mark], setSelect: [zoom] },
      scales: {
        x: { range: (_, low, high) => (begin ? [Number(begin), Number(end)] : [low, high]) },
        y: { range: (_, low, high) => [Math.min(0, low), Math.max(high, 100) * 1.06] },
      },
      series: [
        {},
        { stroke: colour("--riser-peak"), width: 1, fill: colour("--riser-shade"), points: { show: false } },
        { stroke: colour("--riser-line"), width: 2, points: { show: data.times.length < 3, size: 6 } },
      ],
    });
  }

  function describePeak() {
    const known = data.peak.filter((value) => value !== null);
    emptyText?.toggleAttribute("hidden", known.length > 0);
    element.hidden = known.length === 0;
    if (!known.length) return;
    const highest = Math.max(...known);
    const at = data.times[data.peak.indexOf(highest)];
    const words = `Highest: ${Riser.figure(highest)} W ${data.step > 60 ? "around" : "at"} ${begin ? "" : `${day(at)}, `}${hour(at)}`;
    // Of today the server said it to the second, and readings go on from there.
    if (!("power" in peakText.dataset)) peakText.textContent = words;
    element.setAttribute("aria-label", `Power over time. ${words}.`);
  }

  function draw() {
    chart?.destroy();
    chart = null;
    describePeak();
    if (data.times.length) chart = new uPlot(options(), [data.times, data.peak, data.mean], element);
  }

  async function refresh() {
    // The next day has a page of its own.
    if (end && Date.now() / 1000 > end && "follow" in element.dataset) return location.reload();
    const found = await Riser.chart.fetch(shown);
    // Without an answer the old curve stays, and another attempt is made.
    if (found) {
      data = found;
      draw();
    }
    clearTimeout(timer);
    if (!found || "follow" in element.dataset) timer = setTimeout(refresh, AGAIN_MS);
  }

  Riser.chart.redraw(element, draw);
  document.addEventListener("saved", refresh);
  document.addEventListener("reading", () => data.times.length || refresh());
  element.addEventListener("dblclick", () => show(url));
  whole?.addEventListener("click", () => show(url));
  refresh();
})();
