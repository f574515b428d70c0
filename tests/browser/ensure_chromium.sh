#!/usr/bin/env bash
# Makes sure that there is a Chromium for the browser tests, and says which.
#
#   $CHROME or one on the PATH, else the system's package manager (as root, or through sudo without a
#   password), else playwright-core's own download
set -euo pipefail
cd "$(dirname "$0")"

found() { node -e 'import("./browser.mjs").then((it) => console.log(it.findBrowser()))' 2>/dev/null; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo --non-interactive "$@"; fi
}

install_package() {
  if command -v apt-get >/dev/null; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # On Ubuntu `chromium` is only a way to snap, which containers do not have: playwright's it is, then.
    apt-cache show chromium 2>/dev/null | grep -qi '^Depends:.*snapd' && return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q chromium
  elif command -v apk >/dev/null; then
    as_root apk add -q chromium
  elif command -v pacman >/dev/null; then
    as_root pacman -S --noconfirm --quiet chromium
  else
    return 1
  fi
}

download() {
  local options=(--with-deps)
  as_root true 2>/dev/null || options=()
  (cd ../../web/viewer && npx --no-install playwright-core install "${options[@]}" chromium)
}

if ! found >/dev/null; then
  echo "no Chromium here: installing one" >&2
  install_package >&2 || download >&2 || true
fi
if browser=$(found); then
  echo "browser: $browser"
else
  echo "error: no Chromium for the browser tests
  given:    none on the PATH, none from the package manager, and no download
  expected: Chromium or Chrome 121 or later
  remedy:   install one, or set CHROME to its executable" >&2
  exit 2
fi
