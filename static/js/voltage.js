// The curve of voltage over time: the mean as a line, what lies between lowest and highest as a shade, behind it the band.
(() => {
  const AGAIN_MS = 30_000;
  const MARGIN = 4;
  const element = document.getElementById("voltage");
  if (!element) return;
  const { zone, url, words } = element.dataset;
  const limits = [Number(element.dataset.low), Number(element.dataset.high)];
  const stepText = document.getElementById("voltage-step");
  const { colour } = Riser.chart;
  let data = { step: 0, times: [], low: [], mean: [], high: [] };

  function shade({ ctx, bbox, valToPos }) {
    const [bottom, top] = limits.map((volts) => valToPos(volts, "y", true));
    ctx.save();
    ctx.fillStyle = colour("--riser-fine");
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    ctx.strokeStyle = colour("--riser-limit");
    ctx.setLineDash([6, 4].map((pixels) => pixels * devicePixelRatio));
    for (const y of [bottom, top]) {
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  // A ring around what left the band.
  function mark({ ctx, scales, valToPos }) {
    ctx.save();
    ctx.strokeStyle = colour("--riser-bad");
    ctx.lineWidth = 2 * devicePixelRatio;
    const ring = (second, volts) => {
      ctx.beginPath();
      ctx.arc(valToPos(second, "x", true), valToPos(volts, "y", true), 3.5 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.stroke();
    };
    data.times.forEach((second, index) => {
      if (data.mean[index] === null || second < scales.x.min || second > scales.x.max) return;
      if (data.low[index] < limits[0]) ring(second, data.low[index]);
      if (data.high[index] > limits[1]) ring(second, data.high[index]);
    });
    ctx.restore();
  }

  function options() {
    const edge = { stroke: colour("--riser-peak"), width: 1, points: { show: false } };
    return Riser.chart.options(element, {
      heights: [190, 260],
      times: Riser.chart.days(zone),
      units: (volts) => `${Riser.number(volts, 0, 1)} V`,
      cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
      hooks: { ...Riser.zoom.hooks, drawClear: [shade], draw: [mark] },
      scales: {
        x: { range: (plot, low, high) => Riser.zoom.part ?? Riser.chart.span(plot, low, high) },
        y: { range: (_, low, high) => [Math.min(limits[0], low) - MARGIN, Math.max(limits[1], high) + MARGIN] },
      },
      series: [{}, edge, edge, { stroke: colour("--riser-line"), width: 2, points: { show: data.times.length < 3, size: 6 } }],
      bands: [{ series: [1, 2], fill: colour("--riser-shade") }],
    });
  }

  const known = (values) => values.filter((value) => value !== null);

  function describe() {
    const isThere = known(data.mean).length > 0;
    stepText.textContent = isThere ? stepText.dataset.words.replace("{step}", Riser.duration(data.step)) : "";
    if (!isThere) return false;
    const range = { low: Riser.figure(Math.min(...known(data.low))), high: Riser.figure(Math.max(...known(data.high))) };
    element.setAttribute("aria-label", words.replace(/\{(\w+)\}/g, (_, name) => range[name]));
    return isThere;
  }

  const columns = () => [data.times, data.high, data.low, data.mean];

  const rows = () =>
    data.times.map((second, index) => [Riser.chart.moment(second, data.step, zone), data.low[index], data.mean[index], data.high[index]]);

  async function refresh() {
    const part = Riser.zoom.part;
    const found = await Riser.chart.fetch(Riser.zoom.query(url));
    if (part !== Riser.zoom.part) return;
    if (!found) return setTimeout(refresh, AGAIN_MS);
    data = found;
    draw();
  }

  const draw = Riser.chart.place(element, { describe, rows, options, columns, refresh });
  refresh();
})();
