// Shows the offline page where Riser cannot be reached. Keeps that page and its files, and nothing else: no page of
// anybody's, no figures. Whatever is not named here never passes through it.
const CACHE = "riser-{{ version }}";
const OFFLINE = {{ offline|safe }};
const FILES = {{ files|safe }};
const PAGES = {{ pages|safe }};
// What a proxy says while Riser is away.
const AWAY = [502, 503, 504];

const kept = (request) => caches.match(request, { ignoreVary: true });

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll([new Request(OFFLINE, { cache: "reload" }), ...FILES]);
  // Nothing on open pages depends on the version before.
  await self.skipWaiting();
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  // Pages need not wait until this script has started.
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

async function visit(event) {
  let answer = null;
  try {
    answer = (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    // No connection.
  }
  if (answer && !AWAY.includes(answer.status)) return answer;
  return (await kept(OFFLINE)) ?? answer ?? Response.error();
}

const file = (request) => fetch(request).catch(async () => (await kept(request)) ?? Response.error());

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (mode === "navigate" && PAGES.includes(pathname)) event.respondWith(visit(event));
  else if (FILES.includes(pathname)) event.respondWith(file(event.request));
});
