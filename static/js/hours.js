// A month at a glance: days down, hours across, the more energy the stronger.
(() => {
  const LEVELS = 9;
  const element = document.getElementById("hours");

  function cell(tag, words, attributes = {}) {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(words);
    return made;
  }

  // Only heard: a square is too small for figures.
  const heard = (words) => cell("span", words, { className: "visually-hidden" });

  // {day: [kWh of each hour on the clock]}; an hour that the clock shows twice is both together.
  function byDay(usages) {
    const days = new Map();
    for (const { begin, energy_kwh: energy, exported_kwh: exported, known } of usages) {
      const day = begin.slice(0, 10);
      const hour = Number(begin.slice(11, 13));
      if (!days.has(day)) days.set(day, new Array(24).fill(null));
      // What its register counted is known without readings, too.
      if (known || energy || exported) days.get(day)[hour] += energy;
    }
    return days;
  }

  function square(energy, highest, title) {
    if (energy === null) return cell("td", heard(element.dataset.unknown), { className: "unknown", title: `${title}: ${element.dataset.unknown}` });
    const level = highest ? Math.ceil((LEVELS * energy) / highest) : 0;
    return cell("td", heard(Riser.number(energy, 2)), { className: `heat-${level}`, title: `${title}: ${Riser.number(energy, 2)} kWh` });
  }

  function draw(usages) {
    const days = byDay(usages);
    const highest = Math.max(0, ...[...days.values()].flat());
    const head = cell("tr", cell("th", element.dataset.day, { scope: "col" }));
    for (let hour = 0; hour < 24; hour += 1) head.append(cell("th", hour % 6 ? heard(String(hour)) : String(hour), { scope: "col" }));
    const table = document.createElement("table");
    table.append(cell("thead", head), document.createElement("tbody"));
    for (const [day, hours] of days) {
      const name = new Date(`${day}T12:00:00Z`).toLocaleDateString(Riser.locale, { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" });
      const row = cell("tr", cell("th", cell("a", name, { href: `?since=${day}&until=${day}${element.dataset.kept}` }), { scope: "row" }));
      hours.forEach((energy, hour) => row.append(square(energy, highest, `${name}, ${hour}:00`)));
      table.tBodies[0].append(row);
    }
    element.replaceChildren(table);
    document.getElementById("hours-peak").textContent = element.dataset.words.replace("{energy}", Riser.number(highest, 2));
  }

  // A telephone shows no title.
  const told = document.getElementById("hours-told");
  element.addEventListener("pointerover", ({ target }) => {
    const title = target.closest("td")?.title;
    if (title) told.textContent = title;
  });

  fetch(element.dataset.url, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
    .then(draw)
    // Without it the bars above and their table say the same by the day.
    .catch(() => element.closest("section").remove());
})();
