#!/usr/bin/env bash
# Prints a version's section of the changelog, without its heading: changelog.sh v1.2.3 [FILE]
# A version without a section is an error.
set -euo pipefail
version="${1#v}"
file="${2:-CHANGELOG.md}"
section="$(awk -v want="$version" '$1 == "##" { inside = $2 == want || $2 == "[" want "]"; next } inside' "$file")"
if [ -z "${section//[[:space:]]/}" ]; then
  echo "$file has no section \"## $version\": give what is under Unreleased that heading, with the date" >&2
  exit 1
fi
printf '%s\n' "$section"
