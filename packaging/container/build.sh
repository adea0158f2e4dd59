#!/usr/bin/env bash
# Builds the image from this checkout, with docker, podman or buildah, whichever is there: `make image`.
#
#   IMAGE=statusproxy        the image's name; it gets the tags VERSION and latest
#   ENGINE=podman            take this one of the three
#   PYTHON_DIGEST=sha256:…   pin the base image (docs/docker.md says where the digest is from)
#   PYTHON_IMAGE=…           another base: any with python3 (3.11 or newer) and its venv
# What else is given is handed on to the build, such as --no-cache.
set -euo pipefail
cd "$(dirname "$0")/../.."
. packaging/container/engine.sh

version() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' statusproxy/__init__.py; }

# What git knows of the checkout; nothing where it is none.
of_commit() { git log -1 "--format=$1" 2>/dev/null || true; }

image=${IMAGE:-statusproxy}
engine=${ENGINE:-$(engine docker podman buildah)}
version=$(version)
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$(of_commit %H)" --build-arg "CREATED=$(of_commit %cI)")
for name in PYTHON_IMAGE PYTHON_DIGEST; do
  [ -z "${!name:-}" ] || arguments+=(--build-arg "$name=${!name}")
done
# The OCI format has no HEALTHCHECK: podman and buildah leave it out unless they are told.
[ "$engine" = docker ] || arguments+=(--format docker)

[ -n "${PYTHON_DIGEST:-}" ] || echo "build.sh: PYTHON_DIGEST is not set: the base is what its tag names today" >&2
"$engine" build "${arguments[@]}" --tag "$image:$version" --tag "$image:latest" "$@" .
