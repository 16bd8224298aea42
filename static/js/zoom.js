// The part of the time shown that one looks at closer: all charts of the page show it, and the address holds it.
// Drawn over with a mouse, spread with two fingers, or chosen with buttons.
Riser.zoom = (() => {
  const SHORTEST_SECONDS = 60;
  const FEWEST_PIXELS = 20;
  const bar = document.getElementById("zoom");
  const whole = document.getElementById("whole");
  const said = document.getElementById("zoom-part");
  const [first, last] = bar ? [Number(bar.dataset.begin), Number(bar.dataset.end)] : [0, 0];
  // Unix seconds; null for all of it.
  let part = null;
  // What the charts show where nothing is chosen.
  let seen = [first, last];

  // As much of it as there is. All of it, or less than can be shown, is no part.
  function within(begin, end) {
    const length = Math.min(Math.max(end - begin, SHORTEST_SECONDS), last - first);
    const start = Math.min(Math.max(begin, first), last - length);
    return length < last - first ? [start, start + length].map(Math.round) : null;
  }

  function fromAddress() {
    const asked = new URLSearchParams(location.search);
    const [begin, end] = ["begin", "end"].map((name) => Number(asked.get(name) ?? NaN));
    return begin < end && begin < last && end > first ? within(begin, end) : null;
  }

  function withPart(href) {
    const address = new URL(href, location);
    for (const [index, name] of ["begin", "end"].entries()) {
      if (part) address.searchParams.set(name, part[index]);
      else address.searchParams.delete(name);
    }
    return address.href;
  }

  function tell() {
    for (const link of document.querySelectorAll("[data-keep-zoom] a")) link.href = withPart(link.href);
    whole.hidden = part === null;
    const { hour, day, zone } = { ...Riser.chart, zone: bar.dataset.zone };
    const name = (second) => (last - first > 90_000 ? `${day(second, zone)}, ${hour(second, zone)}` : hour(second, zone));
    said.textContent = part ? said.dataset.words.replace("{begin}", name(part[0])).replace("{end}", name(part[1])) : "";
    document.dispatchEvent(new CustomEvent("zoom"));
  }

  function show(begin, end) {
    const asked = within(begin, end);
    if (String(asked) === String(part)) return;
    part = asked;
    history.pushState(null, "", withPart(location));
    tell();
  }

  function step(name) {
    const [begin, end] = part ?? seen;
    const length = end - begin;
    const by = { left: [-length / 2, -length / 2], right: [length / 2, length / 2], in: [length / 4, -length / 4], out: [-length / 2, length / 2] };
    show(begin + by[name][0], end + by[name][1]);
  }

  // Two fingers on a chart: the times below them stay below them. One finger moves the page.
  function spread(plot) {
    let grip = null;
    const places = (touches) => [...touches].map(({ clientX }) => clientX - plot.over.getBoundingClientRect().left).sort((a, b) => a - b);
    plot.over.addEventListener("touchstart", ({ touches }) => {
      grip = touches.length === 2 ? places(touches).map((x) => plot.posToVal(x, "x")) : null;
    });
    plot.over.addEventListener("touchmove", (event) => {
      if (!grip || event.touches.length !== 2) return;
      event.preventDefault();
      const [left, right] = places(event.touches);
      const seconds = (grip[1] - grip[0]) / Math.max(right - left, FEWEST_PIXELS);
      const min = Math.max(first, grip[0] - left * seconds);
      plot.setScale("x", { min, max: Math.min(last, min + plot.over.clientWidth * seconds) });
    }, { passive: false });
    for (const end of ["touchend", "touchcancel"]) {
      plot.over.addEventListener(end, () => {
        if (grip) show(plot.scales.x.min, plot.scales.x.max);
        grip = null;
      });
    }
  }

  function drawn(plot) {
    const { left, width } = plot.select;
    const [begin, end] = [left, left + width].map((x) => plot.posToVal(x, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (end - begin >= SHORTEST_SECONDS) show(begin, end);
  }

  if (bar) {
    bar.hidden = false;
    part = fromAddress();
    bar.addEventListener("click", ({ target }) => target.dataset.zoom && step(target.dataset.zoom));
    whole.addEventListener("click", () => {
      show(first, last);
      bar.querySelector("[data-zoom=in]").focus();
    });
    addEventListener("popstate", () => {
      part = fromAddress();
      tell();
    });
    tell();
  }

  return {
    isThere: bar !== null,
    get part() {
      return part;
    },
    // The address of that part's figures, as fine as they are known.
    query: (url, shift = 0) => (part ? `${url}${url.includes("?") ? "&" : "?"}begin=${part[0] - shift}&end=${part[1] - shift}` : url),
    // Lets a chart be zoomed.
    hooks: {
      ready: [
        (plot) => {
          spread(plot);
          plot.over.addEventListener("dblclick", () => show(first, last));
          if (!part) seen = [plot.scales.x.min, plot.scales.x.max];
        },
      ],
      setSelect: [drawn],
    },
  };
})();
