// How figures and times are written, in the language of the page; the server writes them the same way
// (metering/figures.py).
const Riser = {
  // The page's English is not the American one.
  locale: document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang,

  figure(value) {
    if (value === null || value === undefined) return "–";
    return Riser.number(value, 1, 2);
  },

  // Power in at most three figures, such as 85 W and 1.2 kW.
  wholeWatts(value) {
    const size = Math.abs(value);
    return size < 999.5 ? `${Riser.number(value, 0)} W` : `${Riser.number(value / 1000, size < 99_950 ? 1 : 0)} kW`;
  },

  // The figures of a column: all with as many decimals as one of them needs, one or two.
  column(values) {
    const isKnown = (value) => value !== null && value !== undefined;
    const decimals = values.some((value) => isKnown(value) && !Riser.number(value, 2).endsWith("0")) ? 2 : 1;
    return values.map((value) => (isKnown(value) ? Riser.number(value, decimals) : "–"));
  },

  // With at least and at most so many decimals.
  number(value, least, most = least) {
    return value.toLocaleString(Riser.locale, { minimumFractionDigits: least, maximumFractionDigits: most, useGrouping: false });
  },

  // "12 seconds ago"; what is newer than two seconds is "now"
  ago(seconds) {
    const words = new Intl.RelativeTimeFormat(Riser.locale, { numeric: seconds < 2 ? "auto" : "always" });
    const [number, unit] = seconds < 2 ? [0, "second"] : Riser.largest(seconds);
    return words.format(-number, unit);
  },

  // "12 seconds", "3 minutes", "2 hours", "5 days"
  duration(seconds) {
    const [number, unit] = Riser.largest(seconds);
    return number.toLocaleString(Riser.locale, { style: "unit", unit, unitDisplay: "long" });
  },

  // How many whole ones of the largest unit that fits.
  largest(seconds) {
    const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]].find(([s]) => seconds >= s) ?? [1, "second"];
    return [Math.floor(seconds / size), unit];
  },

  time(date, zone) {
    return date.toLocaleTimeString(Riser.locale, { timeZone: zone });
  },

  day(date, zone) {
    return date.toLocaleDateString(Riser.locale, { timeZone: zone, day: "numeric", month: "short", year: "numeric" });
  },
};
