#!/usr/bin/env bash
# Succeeds if a state backend on S3 has a stack; says so and fails with 1 if not: has-stack.sh dev s3://bucket
set -euo pipefail
stack="$1"
bucket="${2%%\?*}" # without ?region=…
status=0
aws s3 ls "$bucket/.pulumi/stacks/heliograph/$stack.json" >/dev/null || status=$?
case $status in
  0) ;;
  1) # the answer "no such object"; a failed request is 254 or 255
    echo "::notice::$bucket has no stack $stack; make it by: pulumi stack init $stack"
    exit 1
    ;;
  *) exit 2 ;;
esac
