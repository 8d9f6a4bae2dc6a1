#!/usr/bin/env bash
# Starts the local stack, takes a message through it, and stops it.
set -euo pipefail
work="$(mktemp -d)"
go build -o "$work/heliograph" ./cmd/heliograph
"$work/heliograph" local --port 0 --hello >"$work/log" 2>&1 &
local=$!
# stop ends the stack and shows what it said.
stop() {
  kill -INT "$local" 2>/dev/null || true
  wait "$local" || { cat "$work/log"; exit 1; }
  cat "$work/log"
  rm -rf "$work"
}
for _ in $(seq 300); do
  if grep -q 'GET /user/online answered' "$work/log"; then
    stop
    exit 0
  fi
  kill -0 "$local" 2>/dev/null || break
  sleep 1
done
echo "no message arrived"
stop
exit 1
