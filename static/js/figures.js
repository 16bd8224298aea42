// How figures and times are written; the server writes them the same way (metering/figures.py).
const Riser = {
  figure(value) {
    if (value === null || value === undefined) return "–";
    const text = value.toFixed(2);
    return text.endsWith("0") ? text.slice(0, -1) : text;
  },

  // "12 seconds ago"; what is newer than two seconds is "just now"
  ago(seconds) {
    return seconds < 2 ? "just now" : `${Riser.duration(seconds)} ago`;
  },

  // "12 seconds", "3 minutes", "2 hours", "5 days"
  duration(seconds) {
    const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([s]) => seconds >= s) ?? [1, "second"];
    const number = Math.floor(seconds / size);
    return `${number} ${unit}${number === 1 ? "" : "s"}`;
  },

  time(date, zone) {
    return date.toLocaleTimeString("en-GB", { timeZone: zone });
  },

  day(date, zone) {
    return date.toLocaleDateString("en-GB", { timeZone: zone, day: "numeric", month: "short", year: "numeric" });
  },
};
