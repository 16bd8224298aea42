// What the charts have in common: colours, axes, and how times and powers are written on them.
Riser.chart = {
  colour: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),

  watts: (power) => (Math.abs(power) >= 1000 ? `${Riser.number(power / 1000, 0, 3)} kW` : `${Riser.number(power, 0, 3)} W`),

  hour: (seconds, zone) =>
    new Date(seconds * 1000).toLocaleTimeString(Riser.locale, { timeZone: zone, hour: "2-digit", minute: "2-digit" }),

  day: (seconds, zone) =>
    new Date(seconds * 1000).toLocaleDateString(Riser.locale, { timeZone: zone, day: "numeric", month: "short" }),

  // As exact as a point that spans so many seconds.
  moment: (seconds, step, zone) => {
    const { day, hour } = Riser.chart;
    return `${day(seconds, zone)}, ${step < 60 ? Riser.time(new Date(seconds * 1000), zone) : hour(seconds, zone)}`;
  },

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

  // For an axis of time: hours, and where a new day begins its date instead; of a single day hours only.
  days(zone) {
    const { hour, day } = Riser.chart;
    return {
      values: (_, splits, _axis, _space, step) => {
        const names = splits.map((split) => day(split, zone));
        const isNew = (index) => new Set(names).size > 1 && names[index] !== names[index - 1];
        return splits.map((split, index) => (step >= 86400 || isNew(index) ? names[index] : hour(split, zone)));
      },
    };
  },

  // The table of what a chart shows, made when somebody opens it: `rows` are each a heading and its figures.
  // Below a chart without anything there is nothing to open or to take away.
  table(element, rows) {
    const details = document.getElementById(`${element.id}-table`);
    const body = details.querySelector("tbody");
    const row = (head, cells) => {
      const made = document.createElement("tr");
      made.append(Object.assign(document.createElement("th"), { scope: "row", textContent: head }));
      made.append(...cells.map((text) => Object.assign(document.createElement("td"), { className: "number", textContent: text })));
      return made;
    };
    const fill = () => {
      const found = details.open ? rows() : [];
      const columns = (found[0]?.slice(1) ?? []).map((_, index) => Riser.column(found.map((figures) => figures[index + 1])));
      body.replaceChildren(...found.map(([head], index) => row(head, columns.map((texts) => texts[index]))));
    };
    const show = (isThere) => {
      details.hidden = details.parentElement.hidden = !isThere;
    };
    details.addEventListener("toggle", fill);
    return { fill, show };
  },

  // A chart over the days shown, with its table; both go with the zoom. Drawn by what this returns: `describe` says in
  // words what there is, and whether there is anything; `refresh` fetches what belongs to the part that is looked at.
  place(element, { describe, rows, options, columns, refresh }) {
    const table = Riser.chart.table(element, rows);
    let plot = null;
    function draw() {
      plot?.destroy();
      plot = null;
      const isThere = describe();
      element.hidden = !isThere;
      table.show(isThere);
      table.fill();
      // The page does not wait for the library.
      if (typeof uPlot === "undefined") return addEventListener("load", draw, { once: true });
      if (isThere) plot = new uPlot(options(), columns(), element);
    }
    Riser.chart.redraw(element, draw);
    document.addEventListener("zoom", () => {
      const { part } = Riser.zoom;
      if (plot && part) plot.setScale("x", { min: part[0], max: part[1] });
      refresh();
    });
    return draw;
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

// Without zoom.js charts show all that there is.
Riser.zoom = { isThere: false, part: null, query: (address) => address };
