#!/usr/bin/env bash
# Finds what a make target needs and is not there, and installs it through the package managers: Debian packages, npm, cargo.
# Asks before it touches the system, unless it runs as root or in CI (CI=true). Says nothing and takes no time when all is there.
#
#   scripts/setup.sh demo|test|check|bench|fuzz
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:?"usage: scripts/setup.sh demo|test|check|bench|fuzz"}
node_least=20.19
tools=$PWD/target/tools
packages=() crates=()

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
say() { printf '    %s\n' "$*" >&2; }
fail() { printf '\nsetup: %s\n' "$*" >&2; exit 1; }
need() { have "$1" || packages+=("${2:-$1}"); } # need COMMAND [PACKAGE]
new_enough() { [ "$(printf '%s\n%s\n' "$node_least" "${1#v}" | sort -V | head -n1)" = "$node_least" ]; } # new_enough VERSION
node_version() { "$1" --version 2>/dev/null || echo 0; }
browser() { for b in chromium chromium-browser google-chrome google-chrome-stable; do have "$b" && return 0; done; return 1; }

# A Node.js that is new enough: the system's, or one fetched before into target/tools.
node_ready() {
  local at
  for at in "$tools/node/bin/node" node; do
    have "$at" && new_enough "$(node_version "$at")" && have npm && return 0
  done
  return 1
}

# ---------------------------------------------------------------- what is missing

have cargo || fail "no Rust toolchain. Install one (https://rustup.rs, stable, 1.95 or newer), then run the same command again."
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$(rustc --version | cut -d' ' -f2)
[ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n1)" = "$wanted" ] ||
  fail "Rust $found is older than $wanted, which Obhut needs. Run: rustup update stable"

need cc gcc
have cc && [ -e /usr/include/stdlib.h ] || packages+=(libc6-dev)
need make
need cmp diffutils

fetch_node=
if [ "$target" != fuzz ] && ! node_ready; then
  offered=$(apt-cache policy nodejs 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p')
  have node || packages+=(nodejs)
  have npm || packages+=(npm)
  # Debian 12 and Ubuntu 24.04 offer Node.js 18: good enough to run npm once and fetch a newer one beside it.
  if have node; then version=$(node_version node); else version=${offered:-0}; fi
  new_enough "$version" || fetch_node=yes
fi

case $target in
demo | check) ;;
test)
  browser || packages+=(chromium)
  need mosquitto_pub mosquitto-clients
  need openssl
  need curl
  need python3
  need softhsm2-util softhsm2
  ;;
bench)
  need mosquitto
  need openssl
  need python3
  [ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || packages+=(postgresql)
  ;;
fuzz)
  need c++ g++
  cargo fuzz --version >/dev/null 2>&1 || crates+=(cargo-fuzz)
  ;;
*) fail "unknown target \`$target\`" ;;
esac

[ ${#packages[@]} -gt 0 ] || [ ${#crates[@]} -gt 0 ] || [ -n "$fetch_node" ] || exit 0

# ---------------------------------------------------------------- ask, then install

echo "==> setup for \`make $target\`"
[ ${#packages[@]} -eq 0 ] || say "Debian packages, with apt-get: ${packages[*]}"
[ -z "$fetch_node" ] || say "Node.js 22 from npm, into target/tools (the system's is older than $node_least)"
[ ${#crates[@]} -eq 0 ] || say "cargo tools, with cargo install: ${crates[*]}"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if [ ${#packages[@]} -gt 0 ]; then
    have sudo || fail "this needs root: run \`apt-get install ${packages[*]}\` as root, then the same command again."
    as_root=(sudo)
  fi
  if [ "${CI:-}" != true ] && [ "${CI:-}" != 1 ]; then
    [ -t 0 ] || fail "nobody to ask: install the above by hand, or set CI=true to let this script do it."
    read -r -p "    Install these now? [y/N] " answer
    case $answer in [yYjJ]*) ;; *) fail "nothing was installed." ;; esac
  fi
fi

if [ ${#packages[@]} -gt 0 ]; then
  have apt-get || fail "no apt-get here. Install by hand: ${packages[*]}"
  log=target/setup.log
  mkdir -p target
  say "installing packages (log: $log)"
  install() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q install --no-install-recommends "${packages[@]}" >>"$log" 2>&1 </dev/null; }
  : >"$log"
  # The lists may be stale or missing, as in a fresh container: fetch them and try once more before giving up.
  install || { "${as_root[@]}" apt-get -q update >>"$log" 2>&1 </dev/null && install; } || {
    tail -n 20 "$log" >&2
    fail "apt-get could not install: ${packages[*]}"
  }
fi

if [ -n "$fetch_node" ]; then
  case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) fail "no Node.js build for $(uname -m) on npm; install Node.js $node_least or newer by hand" ;; esac
  say "fetching Node.js 22"
  mkdir -p "$tools/fetch" "$tools/node"
  npm install --prefix "$tools/fetch" --no-save --no-audit --no-fund --loglevel=error "node-linux-$arch@22" "npm@11" >&2 </dev/null ||
    fail "npm could not fetch Node.js. Install Node.js $node_least or newer by hand, for example from https://nodejs.org."
  mkdir -p "$tools/node/bin"
  ln -sf "$tools/fetch/node_modules/node-linux-$arch/bin/node" "$tools/node/bin/node"
  ln -sf "$tools/fetch/node_modules/npm/bin/npm-cli.js" "$tools/node/bin/npm"
  ln -sf "$tools/fetch/node_modules/npm/bin/npx-cli.js" "$tools/node/bin/npx"
  new_enough "$(node_version "$tools/node/bin/node")" || fail "the fetched Node.js does not run here; install Node.js $node_least or newer by hand"
fi

for crate in "${crates[@]}"; do
  say "cargo install $crate (some minutes, once)"
  cargo install --locked --quiet "$crate" </dev/null || fail "cargo could not install $crate"
done
node_ready || [ "$target" = fuzz ] || fail "Node.js $node_least or newer and npm are needed, and are not there after the installation"
