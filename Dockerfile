# For work pools of containers and pods, and for workers of a cluster: everything that a stage needs, but the code, which
# comes with the mounted or cloned repository.
#   docker build --tag multiresunet .
FROM python:3.11-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/
RUN pip install --no-cache-dir -r /tmp/requirements.lock
# A mounted repository belongs to somebody else; git would refuse to read it.
RUN git config --system --add safe.directory '*'
ENV DO_NOT_TRACK=1 DVC_NO_ANALYTICS=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
WORKDIR /work
