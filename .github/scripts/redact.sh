#!/usr/bin/env bash
# Replaces each secret by the text PLACEHOLDER, and drops the keys that secrets are encrypted with:
#   redact.sh state <.pulumi/stacks/heliograph/dev.json   prints what `pulumi stack import` takes
#   redact.sh config <Pulumi.dev.yaml                     prints the file without its secrets
#   redact.sh keys <Pulumi.dev.yaml                       prints the keys of those secrets, a line each
set -euo pipefail
case "$1" in
  state)
    # The long key marks a secret; Pulumi's own constant, sdk/go/common/resource/sig.
    jq --arg value "$PLACEHOLDER" '
      "4dabf18193072939515e22adb298388d" as $mark | "1b47061264138c4ac30d75fd1eb44270" as $secret |
      {version, deployment: (.checkpoint.latest | del(.secrets_providers) | walk(
        if type == "object" and .[$mark] == $secret then {($mark): $secret, plaintext: ($value | tojson)} else . end))}'
    ;;
  config) awk '/^(secretsprovider|encryptedkey|encryptionsalt):/ { next }
               /^  [^ ]/ { if (held != "") print held; held = $0; next }
               /^ +secure:/ { held = ""; next }
               { if (held != "") print held; held = ""; print }
               END { if (held != "") print held }' ;;
  keys) awk '/^  [^ #]/ { key = $1 } /^ +secure:/ { sub(/:$/, "", key); print key }' ;;
  *) echo "redact.sh: $1 is neither state, config nor keys" >&2; exit 2 ;;
esac
