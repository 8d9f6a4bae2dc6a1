#!/usr/bin/env bash
# Fails if a stack in AWS is not what this checkout says, and writes the difference to a file, as Markdown:
#   drift.sh dev s3://bucket drift.md
set -euo pipefail
stack="$1" backend="$2" out="$3"
status=0
"$(dirname "$0")/has-stack.sh" "$stack" "$backend" || status=$?
if [ $status = 1 ]; then exit 0; fi
[ $status = 0 ] || exit $status

export PULUMI_BACKEND_URL="$backend"
difference="$(mktemp)"
trap 'rm -f "$difference"' EXIT
pulumi preview --stack "$stack" --refresh --expect-no-changes --diff --non-interactive --color never | tee "$difference" || status=$?
if [ $status != 0 ]; then
  {
    printf '### %s\n\n````diff\n' "$stack"
    tail -c 28000 "$difference"
    printf '\n````\n\n'
  } >"$out"
fi
exit $status
