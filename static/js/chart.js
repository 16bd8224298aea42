// What the charts have in common: colours, axes, and how times and powers are written on them.
Riser.chart = {
  colour: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),

  watts: (power) => (Math.abs(power) >= 1000 ? `${Riser.number(power / 1000, 0, 3)} kW` : `${Riser.number(power, 0, 3)} W`),

  hour: (seconds, zone) =>
    new Date(seconds * 1000).toLocaleTimeString(Riser.locale, { timeZone: zone, hour: "2-digit", minute: "2-digit" }),

  day: (seconds, zone) =>
    new Date(seconds * 1000).toLocaleDateString(Riser.locale, { timeZone: zone, day: "numeric", month: "short" }),

  // What the axis of time spans: all of the data; uPlot would give a single reading almost three years.
  span: (plot, low, high) => (plot.data[0].length === 1 ? [plot.data[0][0] - 1800, plot.data[0][0] + 1800] : [low, high]),

  // The columns of an answer of ours; null where there is none.
  async fetch(address) {
    const answer = await fetch(address, { cache: "no-store", headers: { Accept: "application/json" } }).catch(() => null);
    return answer?.ok ? answer.json() : null;
  },

  // What uPlot is told of every chart of ours: no legend, quiet lines behind, time below and a unit at the side.
  options(element, { heights, times, units, ...more }) {
    const { colour } = Riser.chart;
    const axis = { stroke: colour("--riser-axis"), grid: { stroke: colour("--riser-grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    return {
      width: element.clientWidth,
      height: heights[element.clientWidth < 500 ? 0 : 1],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), element.dataset.zone),
      legend: { show: false },
      axes: [
        { ...axis, size: 36, gap: 9, space: 60, ...times },
        { ...axis, size: 52, values: (_, splits) => splits.map(units) },
      ],
      ...more,
    };
  },

  // For an axis of time: hours, and where a new day begins its date instead.
  days(zone) {
    const { hour, day } = Riser.chart;
    const isNew = (splits, index) => index === 0 || day(splits[index], zone) !== day(splits[index - 1], zone);
    return {
      values: (_, splits, _axis, _space, step) =>
        splits.map((split, index) => (step >= 86400 || isNew(splits, index) ? day(split, zone) : hour(split, zone))),
    };
  },

  // The table of what a chart shows, made when somebody opens it: `rows` are texts, of which the first is the heading.
  // Below a chart without anything there is nothing to open or to take away.
  table(element, rows) {
    const details = document.getElementById(`${element.id}-table`);
    const body = details.querySelector("tbody");
    const row = ([head, ...cells]) => {
      const made = document.createElement("tr");
      made.append(Object.assign(document.createElement("th"), { scope: "row", textContent: head }));
      made.append(...cells.map((text) => Object.assign(document.createElement("td"), { className: "number", textContent: text })));
      return made;
    };
    const fill = () => body.replaceChildren(...(details.open ? rows().map(row) : []));
    const show = (isThere) => {
      details.hidden = details.parentElement.hidden = !isThere;
    };
    details.addEventListener("toggle", fill);
    return { fill, show };
  },

  // Drawn anew where its width or the theme changes.
  redraw(element, draw) {
    let width = element.clientWidth;
    new ResizeObserver(() => {
      const changed = element.clientWidth !== width;
      width = element.clientWidth;
      if (changed) draw();
    }).observe(element.parentElement);
    document.documentElement.addEventListener("themechange", draw);
  },
};
