#!/usr/bin/env bash
# Browser tests: once against the real server with a real ward behind it, once against the pages' own fake server, which shows the states
# a healthy ward does not (dead store, refused charter, silent devices).
#
#   scripts/browser-tests.sh PATH_TO_OBHUT
set -euo pipefail
cd "$(dirname "$0")/.."
obhut=$(realpath "${1:?"usage: scripts/browser-tests.sh PATH_TO_OBHUT"}")

for browser in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$browser" >/dev/null 2>&1; then
    export CHROMIUM=${CHROMIUM:-$(command -v "$browser")}
    break
  fi
done
[ -n "${CHROMIUM:-}" ] || { echo "no browser found; run scripts/setup.sh test" >&2; exit 1; }

work=$(mktemp -d)
server=
finish() {
  status=$?
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill -TERM "$server"
    wait "$server" || true
  fi
  if [ "$status" -ne 0 ] && [ -s "$work/log" ]; then
    echo "---- the server's last lines" >&2
    tail -n 40 "$work/log" >&2
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "==> browser: real server"
"$obhut" demo --headless --data "$work/data" --port 0 --gateway-port 0 --duration 30m >"$work/log" 2>&1 </dev/null &
server=$!
deadline=$((SECONDS + 120))
until OBHUT_URL=$(grep -oE 'https://[^[:space:]]+#enter=[A-Za-z0-9_-]+' "$work/log" | head -n1) && [ -n "$OBHUT_URL" ]; do
  kill -0 "$server" 2>/dev/null || { echo "the server ended before it was ready" >&2; exit 1; }
  [ "$SECONDS" -lt "$deadline" ] || { echo "the server printed no link within two minutes" >&2; exit 1; }
  sleep 0.2
done
sleep 1 # the other links follow the first at once
# A link for each role; the first is the nurse's, and stands there twice.
OBHUT_LINKS=$(grep -oE 'https://[^[:space:]]+#enter=[A-Za-z0-9_-]+' "$work/log" | awk '!seen[$0]++' | tr '\n' ' ')
export OBHUT_URL OBHUT_LINKS
(cd web && npm run --silent e2e)

kill -TERM "$server"
if ! wait "$server"; then
  echo "the server did not end cleanly" >&2
  exit 1
fi
server=

echo "==> browser: fault states"
unset OBHUT_URL OBHUT_LINKS
# One of them starts servers of its own.
(cd web && OBHUT="$obhut" npm run --silent e2e)
