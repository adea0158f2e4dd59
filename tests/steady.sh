#!/usr/bin/env bash
# Runs a command again and again, to the first failure, and says how long each run took.
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
for ((run = 1; run <= runs; run++)); do
  begun=$SECONDS
  if timeout "${RUN_SECONDS:-1800}" "$@" >"$output" 2>&1; then
    printf 'run %d of %d, beside %d: %d s: %s\n' "$run" "$runs" "$busy" $((SECONDS - begun)) "$(tail -n 1 "$output")"
  else
    code=$?
    cat "$output"
    printf 'run %d of %d, beside %d: failed with exit code %d after %d s\n' "$run" "$runs" "$busy" "$code" $((SECONDS - begun))
    exit 1
  fi
done
