#!/usr/bin/env bash
# Runs a command again and again, to the first failure, and says how long each run took, and how long it computed.
#
#   steady.sh RUNS BUSY COMMAND…      RUNS times, beside BUSY processes that do nothing but compute
#
# One run may take RUN_SECONDS (default 1800); then it has failed. The output of a run that failed is shown.
set -euo pipefail

runs=$1 busy=$2
shift 2
output=$(mktemp)
burning=()
end() {
  [ ${#burning[@]} -eq 0 ] || kill "${burning[@]}" 2>/dev/null || true
  rm -f "$output"
}
trap end EXIT

for ((one = 0; one < busy; one++)); do
  (while :; do :; done) &
  burning+=($!)
done
# Seconds of processor time, in hundredths, of all that has run and ended.
computed() {
  awk '{ print int(100 * ($16 + $17) / ticks) }' ticks="$(getconf CLK_TCK)" "/proc/$$/stat"
}

for ((run = 1; run <= runs; run++)); do
  begun=$SECONDS before=$(computed)
  if timeout --signal=INT --kill-after=60 "${RUN_SECONDS:-1800}" "$@" >"$output" 2>&1; then
    printf 'run %d of %d, beside %d: %d s, computed %d s: %s\n' "$run" "$runs" "$busy" $((SECONDS - begun)) \
      $((($(computed) - before) / 100)) "$(tail -n 1 "$output")"
  else
    code=$?
    cat "$output"
    printf 'run %d of %d, beside %d: failed with exit code %d after %d s\n' "$run" "$runs" "$busy" "$code" $((SECONDS - begun))
    exit 1
  fi
done
