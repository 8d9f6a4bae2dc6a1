#!/usr/bin/env bash
# Builds what a release publishes into a folder: release.sh v1.2.3 dist
# An archive of the command line for each platform, with the licenses of what is in it; an SBOM of each program, as
# CycloneDX; and the checksums of all. The same commit gives the same bytes, whoever builds it.
set -euo pipefail
version="$1"
out="$2"
platforms="${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}"
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)"
export SOURCE_DATE_EPOCH CGO_ENABLED=0 TZ=UTC

# pack FOLDER: archives the folder beside itself, with names in order and the commit's time on every file.
pack() {
  find "$1" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
  case "$1" in
    *windows*) (cd "$(dirname "$1")" && find "$(basename "$1")" -type f | LC_ALL=C sort | zip -q -X -@ "$(basename "$1").zip") ;;
    *) tar --sort=name --owner=0 --group=0 --numeric-owner -C "$(dirname "$1")" -c "$(basename "$1")" | gzip -n >"$1.tar.gz" ;;
  esac
  rm -r "$1"
}

mkdir -p "$out"
notices="$(mktemp)"
trap 'rm -f "$notices"' EXIT
.github/scripts/notices.sh ./cmd/heliograph >"$notices"
for platform in $platforms; do
  os="${platform%/*}" arch="${platform#*/}"
  folder="$out/heliograph_${version#v}_${os}_${arch}"
  program="$folder/heliograph"
  if [ "$os" = windows ]; then program="$program.exe"; fi
  mkdir -p "$folder"
  GOOS=$os GOARCH=$arch go build -trimpath -o "$program" ./cmd/heliograph
  go tool -modfile=.ci/go.mod cyclonedx-gomod bin -json -std -output "$folder.cdx.json" "$program"
  cp LICENSE README.md CHANGELOG.md "$folder/"
  cp "$notices" "$folder/THIRD_PARTY_LICENSES.txt"
  pack "$folder"
done
# Without archives for Windows there is no *.zip, which sha256sum would take for a name.
(cd "$out" && shopt -s nullglob && sha256sum -- *.tar.gz *.zip *.cdx.json >checksums.txt)
