// The curve of the last minutes: it grows with each reading.
(() => {
  const element = document.getElementById("recent");
  if (!element) return;
  const SPAN_SECONDS = 600;
  const SLIDE_MS = 5000;
  const AGAIN_MS = 5000;
  const { url, zone } = element.dataset;
  const gap = Number(element.dataset.gap);
  const usual = element.dataset.low === undefined ? null : [Number(element.dataset.low), Number(element.dataset.high)];
  const empty = document.getElementById("recent-empty");
  const points = new Map();
  // How far the browser's clock is ahead of the server's, in seconds.
  let ahead = 0;
  let chart = null;

  const { colour } = Riser.chart;
  const now = () => Date.now() / 1000 - ahead;
  const clock = (seconds) => Riser.chart.hour(seconds, zone);

  // Columns for the chart, oldest first; nothing is drawn where no reading came for longer than the gap.
  function columns() {
    for (const time of points.keys()) if (time < now() - SPAN_SECONDS) points.delete(time);
    const times = [];
    const powers = [];
    for (const time of [...points.keys()].sort((a, b) => a - b)) {
      if (times.length && time - times.at(-1) > gap) {
        times.push((times.at(-1) + time) / 2);
        powers.push(null);
      }
      times.push(time);
      powers.push(points.get(time));
    }
    return [times, powers];
  }

  function shade(plot) {
    if (!usual) return;
    const [top, bottom] = [usual[1], usual[0]].map((power) => plot.valToPos(power, "y", true));
    plot.ctx.fillStyle = colour("--riser-usual");
    plot.ctx.fillRect(plot.bbox.left, top, plot.bbox.width, bottom - top);
  }

  function options(number) {
    const [low, high] = usual ?? [0, 100];
    return Riser.chart.options(element, {
      heights: [150, 180],
      times: { incrs: [60, 120, 300], values: (_, splits) => splits.map(clock) },
      units: Riser.chart.watts,
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      hooks: { drawClear: [shade] },
      scales: {
        x: { range: () => [now() - SPAN_SECONDS, now()] },
        y: { range: (_, least, most) => [Math.min(0, low, least ?? 0), Math.max(100, high, most ?? 0) * 1.08] },
      },
      series: [{}, { stroke: colour("--riser-line"), width: 2, points: { show: number < 40, size: 5, fill: colour("--riser-line") } }],
    });
  }

  // As it was when it was opened: rows that move cannot be read.
  function rows() {
    const times = [...points.keys()].sort((a, b) => b - a);
    return times.map((time) => [Riser.time(new Date(time * 1000), zone), points.get(time)]);
  }
  const table = Riser.chart.table(element, rows);

  function draw() {
    const data = columns();
    const known = data[1].filter((power) => power !== null);
    empty.hidden = known.length > 0;
    element.hidden = known.length === 0;
    table.show(known.length > 0);
    if (!known.length) return;
    const words = element.dataset.words;
    const range = { low: Riser.figure(Math.min(...known)), high: Riser.figure(Math.max(...known)) };
    const label = words.replace(/\{(\w+)\}/g, (_, name) => range[name]);
    if (label !== element.getAttribute("aria-label")) element.setAttribute("aria-label", label);
    if (chart) return chart.setData(data);
    // The page does not wait for the library.
    if (typeof uPlot === "undefined") return addEventListener("load", draw, { once: true });
    chart = new uPlot(options(known.length), data, element);
  }

  function redraw() {
    chart?.destroy();
    chart = null;
    draw();
  }

  async function fetchAll() {
    const found = await Riser.chart.fetch(url);
    if (!found) return setTimeout(fetchAll, AGAIN_MS);
    found.timestamps.forEach((timestamp, index) => points.set(Date.parse(timestamp) / 1000, found.power[index]));
    draw();
  }

  document.addEventListener("reading", ({ detail: { timestamp, age_seconds, power } }) => {
    const taken = Date.parse(timestamp) / 1000;
    ahead = Date.now() / 1000 - taken - age_seconds;
    points.set(taken, power);
    draw();
  });
  document.addEventListener("missed", fetchAll);
  Riser.chart.redraw(element, redraw);
  setInterval(draw, SLIDE_MS);
  fetchAll();
})();
