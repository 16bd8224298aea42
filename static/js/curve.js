// The curve of power over time: the mean of each step as a line, what lies between its lowest and highest as a shade.
(() => {
  const AGAIN_MS = 30_000;
  const element = document.getElementById("curve");
  if (!element) return;
  const { zone, begin, end, url, before, shift } = element.dataset;
  const peakText = document.getElementById("peak");
  const stepText = document.getElementById("curve-step");
  const emptyText = document.getElementById("curve-empty");
  const NOTHING = { step: 0, times: [], low: [], mean: [], peak: [], saved: [] };
  let data = NOTHING;
  // The same days a year earlier, moved here.
  let earlier = NOTHING;
  let timer = 0;

  const { colour } = Riser.chart;
  const hour = (seconds) => Riser.chart.hour(seconds, zone);
  const day = (seconds) => Riser.chart.day(seconds, zone);

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
    const few = data.times.length < 3;
    const edge = { stroke: colour("--riser-peak"), width: 1, points: { show: false } };
    return Riser.chart.options(element, {
      heights: [190, 260],
      times: begin ? { values: (_, splits) => splits.map(hour) } : Riser.chart.days(zone),
      units: Riser.chart.watts,
      cursor: { drag: { x: Riser.zoom.isThere, y: false, setScale: false }, points: { show: false } },
      hooks: Riser.zoom.isThere ? { ...Riser.zoom.hooks, draw: [mark] } : { draw: [mark] },
      scales: {
        x: { range: (plot, low, high) => (begin ? [Number(begin), Number(end)] : Riser.zoom.part ?? Riser.chart.span(plot, low, high)) },
        y: { range: (_, low, high) => [Math.min(0, low), Math.max(high, 100) * 1.06] },
      },
      series: [
        {},
        edge,
        edge,
        { stroke: colour("--riser-line"), width: 2, points: { show: few, size: 6 } },
        { stroke: colour("--riser-before"), width: 1.5, dash: [5, 4], points: { show: earlier.times.length < 3, size: 6 } },
      ],
      // Of days the lowest is not kept.
      bands: [{ series: [1, hasLow() ? 2 : 3], fill: colour("--riser-shade") }],
    });
  }

  const hasLow = () => data.low.some((power) => power !== null);

  function columns() {
    const own = [data.times, data.peak, data.low, data.mean];
    if (!earlier.times.length) return [...own, data.times.map(() => null)];
    return uPlot.join([own, [earlier.times, earlier.mean]], [[2, 2, 2, 2], [2, 2]]);
  }

  function describe() {
    const known = data.peak.filter((value) => value !== null);
    const isThere = known.length > 0 || earlier.times.length > 0;
    emptyText?.toggleAttribute("hidden", known.length > 0);
    if (stepText) stepText.textContent = known.length ? stepText.dataset[hasLow() ? "words" : "peaks"].replace("{step}", Riser.duration(data.step)) : "";
    if (!known.length) return isThere;
    const highest = Math.max(...known);
    const at = data.times[data.peak.indexOf(highest)];
    const [way, when] = data.step >= 86_400 ? ["on", day(at)] : [data.step > 60 ? "around" : "at", begin ? hour(at) : `${day(at)}, ${hour(at)}`];
    // Quarter hours keep whole watts.
    const power = data.step >= 900 ? Riser.number(highest, 0) : Riser.figure(highest);
    const words = element.dataset[way].replace("{power}", power).replace("{when}", when);
    // Of all that is shown the server knows it to the minute; today readings go on from there.
    if (!("power" in peakText.dataset)) peakText.textContent = (!Riser.zoom.part && peakText.dataset.whole) || words;
    element.setAttribute("aria-label", element.dataset.label.replace("{highest}", words));
    return isThere;
  }

  function rows() {
    const then = new Map(earlier.times.map((second, index) => [second, earlier.mean[index]]));
    const cells = (second, index) => [data.low[index], data.mean[index], data.peak[index], ...(before ? [then.get(second)] : [])];
    return data.times.map((second, index) => [Riser.chart.moment(second, data.step, zone), ...cells(second, index)]);
  }

  async function fetchBefore() {
    if (!before) return NOTHING;
    const found = await Riser.chart.fetch(Riser.zoom.query(before, Number(shift)));
    return found ? { ...found, times: found.times.map((second) => second + Number(shift)) } : earlier;
  }

  async function refresh() {
    // The next day has a page of its own.
    if (end && Date.now() / 1000 > end && "follow" in element.dataset) return location.reload();
    const part = Riser.zoom.part;
    const [found, foundBefore] = await Promise.all([Riser.chart.fetch(Riser.zoom.query(url)), fetchBefore()]);
    // Meanwhile another part may be asked for.
    if (part !== Riser.zoom.part) return;
    // Without an answer the old curve stays, and another attempt is made.
    if (found) {
      [data, earlier] = [found, foundBefore];
      draw();
    }
    clearTimeout(timer);
    if (!found || "follow" in element.dataset) timer = setTimeout(refresh, AGAIN_MS);
  }

  const draw = Riser.chart.place(element, { describe, rows, options, columns, refresh });
  document.addEventListener("saved", refresh);
  document.addEventListener("reading", () => data.times.length || refresh());
  refresh();
})();
