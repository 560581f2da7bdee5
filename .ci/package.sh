#!/usr/bin/env bash
# Builds the Debian package of one machine, target/package/*.deb, and goes through its life (package/life.sh) on a machine
# of its own (package/machine.sh). Being root is needed for that; elsewhere it builds the package and says so.
#   .ci/package.sh [PROFILE]     of cargo, verify by default
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1-verify}
pin=3.8.0
tools=target/ci-tools
# Without optimisation and compression of its own it is built in half a minute.
[ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" = "$pin" ] ||
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-default-features --root "$tools" "cargo-deb@$pin"

root=()
if [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then root=(sudo -n); fi
missing=()
need() {
  command -v "$1" >/dev/null || missing+=("$2")
}
need dpkg-shlibdeps dpkg-dev
need xz xz-utils
need groff groff-base
need systemd-analyze systemd
need systemd-nspawn systemd-container
if [ "${#missing[@]}" -gt 0 ]; then
  "${root[@]}" apt-get update -qq
  "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

cargo build --profile "$profile" --locked --quiet -p local
"${root[@]}" rm -rf target/package target/ci-package
mkdir -p target/package target/ci-package
pack() {
  "$tools/bin/cargo-deb" -p local --no-build --profile "$profile" --compress-system --quiet "$@" >/dev/null
}
# Small only where it is downloaded.
if [ "$profile" = release ]; then pack --output target/package/; else pack --fast --output target/package/; fi
version=$(dpkg-deb --field target/package/*.deb Version)
# What is upgraded: the same, called older.
pack --fast --deb-version "$version~earlier" --output target/ci-package/earlier.deb
cp target/package/*.deb target/ci-package/package.deb
complaints=$(groff -man -ww -z packaging/admit-one.8 2>&1)
[ -z "$complaints" ] || { printf '%s\n' "$complaints" >&2; exit 1; }
stat --format '%n: %s bytes' target/package/*.deb

if ! "${root[@]}" unshare --mount true 2>/dev/null; then
  echo 'the package was built and not installed: that needs root' >&2
  exit 0
fi
cp .ci/package/life.sh target/ci-package/
if ! "${root[@]}" unshare --mount .ci/package/machine.sh "$PWD/target/ci-package"; then
  cat target/ci-package/log >&2 2>/dev/null || true
  echo 'package.sh failed' >&2
  exit 1
fi
# Nothing, where no container could be started: that was said.
[ ! -e target/ci-package/report ] || cat target/ci-package/report
