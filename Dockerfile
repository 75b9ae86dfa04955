# One image for all services; the service is its argument: `docker run … troth serve gateway`.
FROM python:3.11-slim-bookworm AS build

WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/troth \
    && /opt/troth/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock

WORKDIR /opt/troth/app
COPY libs ./libs
COPY services ./services
COPY cli ./cli
COPY --chmod=755 deploy/image/troth /opt/troth/bin/troth
RUN /opt/troth/bin/python -m compileall -q .

FROM python:3.11-slim-bookworm

COPY --from=build /opt/troth /opt/troth
# The folder is made here so that a fresh volume mounted on it belongs to the user below.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/troth

ENV PATH=/opt/troth/bin:$PATH \
    PYTHONPATH=/opt/troth/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TROTH_DATA_DIR=/var/lib/troth
USER 10001:10001
WORKDIR /var/lib/troth
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["troth"]
CMD ["--help"]
