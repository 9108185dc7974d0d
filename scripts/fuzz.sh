#!/usr/bin/env bash
# Fuzzes every target (or those named), SECONDS each. FUZZ_RUNS=N counts executions instead: our measure is ten million a decoder.
#
#   scripts/fuzz.sh SECONDS [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?"usage: scripts/fuzz.sh SECONDS [TARGET…]"}
shift
# The sanitizer flags are unstable; this lets the stable compiler take them, for this build only.
export RUSTC_BOOTSTRAP=1
[ -f fuzz/Cargo.toml ] || { echo "there is no fuzz/Cargo.toml" >&2; exit 1; }
[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
[ $# -eq 0 ] || targets=("$@")

limit=(-max_total_time="$seconds")
[ -z "${FUZZ_RUNS:-}" ] || limit=(-runs="$FUZZ_RUNS")
for target in "${targets[@]}"; do
  echo "==> fuzz: $target"
  mkdir -p "fuzz/corpus/$target"
  seeds=()
  [ ! -d "fuzz/seeds/$target" ] || seeds=("fuzz/seeds/$target")
  # 512 MiB for the whole process: a decoder that can be made to allocate without bound dies here. What was freed counts too, so little of it is kept back.
  ASAN_OPTIONS="quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS}" cargo fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -- "${limit[@]}" -rss_limit_mb=512 -timeout=5 -print_final_stats=1 2>&1 |
    tee "target/fuzz-$target.log" | grep -E 'stat::|ERROR|SUMMARY|panicked|DONE|Test unit written' || true
  [ "${PIPESTATUS[0]}" -eq 0 ] || { echo "$target failed; see target/fuzz-$target.log" >&2; exit 1; }
done
