#!/usr/bin/env bash
# Writes the SBOM of an image: the Python distributions in it, as CycloneDX 1.6 JSON, from their own metadata.
#
#   packaging/container/sbom.sh [IMAGE] > dist/statusproxy.cdx.json
#
# It needs cyclonedx-py (the package cyclonedx-bom), from PATH or .venv. What the base image has beside Python is in that
# image's own SBOM.
set -euo pipefail
cd "$(dirname "$0")/../.."
. packaging/container/engine.sh

PATH="$PATH:$PWD/.venv/bin"
command -v cyclonedx-py >/dev/null || fail "cyclonedx-py is missing: pipx install cyclonedx-bom"
image=${1:-statusproxy}
engine=${ENGINE:-$(engine docker podman)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The metadata alone is enough, laid into an environment of this host's Python: nothing of the image is run here.
python3 -m venv --without-pip "$work"
site=$("$work/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$engine" run --rm --network none --read-only --cap-drop ALL --entrypoint /bin/sh "$image" \
  -c 'cd /opt/statusproxy/lib/python3.*/site-packages && tar -cf - ./*.dist-info' | tar -xf - -C "$site"
cyclonedx-py environment --output-format JSON --spec-version 1.6 --output-reproducible "$work/bin/python"
