#!/bin/sh
# Installs the real parts the tests run against, where they are missing: with apt-get, as root.
set -eu
parts="mosquitto:mosquitto mosquitto_pub:mosquitto-clients chromium-headless-shell:chromium-headless-shell postgres:postgresql nginx:nginx msgfmt:gettext"
missing=""
PATH="$PATH:/usr/sbin"
# Debian keeps PostgreSQL's server off the PATH, a folder for each version.
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done
for part in $parts; do
  command -v "${part%%:*}" >/dev/null 2>&1 || missing="$missing ${part##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "The tests need these Debian packages: apt-get install$missing" >&2
  exit 1
fi
echo "==> Installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# The packages' own services must not take ports: the tests start brokers and databases of their own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
