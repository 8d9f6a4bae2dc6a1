#!/usr/bin/env bash
# Writes what this checkout would change in a stack to a file, as Markdown: preview.sh dev s3://bucket preview.md
#
# It works on a copy of the stack's state, in a local backend, with each secret replaced: so it needs no right to decrypt
# one, and can't change the stack. It changes the stack's file in this folder.
set -euo pipefail
stack="$1" backend="$2" out="$3"
scripts="$(dirname "$0")"
status=0
"$scripts/has-stack.sh" "$stack" "$backend" || status=$?
if [ $status = 1 ]; then exit 0; fi
[ $status = 0 ] || exit $status

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
aws s3 cp --quiet "${backend%%\?*}/.pulumi/stacks/heliograph/$stack.json" "$work/state.json"

export PULUMI_BACKEND_URL="file://$work" PULUMI_CONFIG_PASSPHRASE="of a backend that lives for one preview"
export PLACEHOLDER="stands in for a secret during a preview"
"$scripts/redact.sh" state <"$work/state.json" >"$work/redacted.json"
mv "Pulumi.$stack.yaml" "$work/committed.yaml"
pulumi stack init "$stack"
"$scripts/redact.sh" config <"$work/committed.yaml" | { cat; grep '^encryptionsalt:' "Pulumi.$stack.yaml"; } >"$work/redacted.yaml"
cp "$work/redacted.yaml" "Pulumi.$stack.yaml"
"$scripts/redact.sh" keys <"$work/committed.yaml" | while read -r key; do
  pulumi config set --stack "$stack" --secret "$key" "$PLACEHOLDER" </dev/null
done
pulumi stack import --stack "$stack" --file "$work/redacted.json"

pulumi preview --stack "$stack" --diff --non-interactive --color never | tee "$work/preview.txt" || status=$?
{
  printf '### %s\n\n<details><summary>pulumi preview</summary>\n\n````diff\n' "$stack"
  tail -c 28000 "$work/preview.txt"
  printf '\n````\n\n</details>\n\n'
} >"$out"
exit $status
