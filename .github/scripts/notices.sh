#!/usr/bin/env bash
# Prints the licenses of all that is compiled into Go packages, for every system that is released:
#   notices.sh ./cmd/heliograph
# A module without a license is an error. For one that states it in its README only, the README is printed.
set -euo pipefail

modules() {
  for os in linux darwin windows; do
    GOOS=$os go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' "$@"
  done | sort -u
}

# license NAME FILE...: prints files under a heading.
license() {
  printf '\n%s\n%s\n\n' "$1" "$(printf '%*s' "${#1}" '' | tr ' ' '-')"
  cat "${@:2}"
}

cat NOTICE
license "The Go standard library" "$(go env GOROOT)/LICENSE"
for file in simulator/console/assets/vendor/*.LICENSE; do
  license "$(basename "$file" .LICENSE), in the local console" "$file"
done
modules "$@" | while read -r path version dir; do
  mapfile -t files < <(find "$dir" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'patents*' \) | sort)
  if [ ${#files[@]} = 0 ]; then
    mapfile -t files < <(grep -liE '^#+ *licen[sc]e' "$dir"/README* || true)
  fi
  if [ ${#files[@]} = 0 ]; then
    echo "$path $version has no license: find it, or do without the module" >&2
    exit 1
  fi
  license "$path $version" "${files[@]}"
done
