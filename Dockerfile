# The image of statusproxy: docs/docker.md says how to build and run it.
#
# The base is pinned by its digest where PYTHON_DIGEST is given:
#   docker build --build-arg PYTHON_DIGEST=sha256:… .
# Without it the tag decides, and the same command can give another base tomorrow.
ARG PYTHON_IMAGE=python:3.13-slim
ARG PYTHON_DIGEST=

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST:+@${PYTHON_DIGEST}} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_CONSTRAINT=/src/constraints.txt
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY statusproxy statusproxy
# The environment has no pip of its own: the one beside it installs into it.
RUN python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/statusproxy \
    && /opt/pip/bin/pip --python /opt/statusproxy/bin/python install '.[redis,jwt,alerts]' \
    && rm -f /opt/statusproxy/bin/[Aa]ctivate*

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST:+@${PYTHON_DIGEST}}
RUN groupadd --gid 10001 statusproxy \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/statusproxy --no-create-home \
        --shell /usr/sbin/nologin statusproxy \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/statusproxy
COPY --from=build /opt/statusproxy /opt/statusproxy
COPY packaging/container/statusproxy /usr/local/bin/statusproxy
COPY packaging/container/config.yaml /etc/statusproxy/config.yaml

# Relative paths of the state lie in STATE_DIRECTORY; a file in CREDENTIALS_DIRECTORY (a secret of Compose) gives the
# variable of its name to the configuration.
ENV STATUSPROXY_CONFIG=/etc/statusproxy/config.yaml \
    STATE_DIRECTORY=/var/lib/statusproxy \
    CREDENTIALS_DIRECTORY=/run/secrets \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

ARG VERSION=
ARG REVISION=
ARG CREATED=
ARG PYTHON_IMAGE
ARG PYTHON_DIGEST
LABEL org.opencontainers.image.title="statusproxy" \
      org.opencontainers.image.description="A sidecar reverse proxy that makes a WhatsApp gateway tell the truth about its sessions" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
      org.opencontainers.image.base.digest="${PYTHON_DIGEST}"

USER 10001:10001
WORKDIR /var/lib/statusproxy
VOLUME /var/lib/statusproxy
EXPOSE 8090 8091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["statusproxy", "health"]
ENTRYPOINT ["statusproxy"]
CMD ["run"]
