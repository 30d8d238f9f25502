# One image for every service of Pressroom; the command says which (see docker-compose.yml).
FROM python:3.13-slim AS docs
WORKDIR /app
COPY deploy/docs.lock ./
RUN pip install --require-hashes --requirement docs.lock
COPY *.md ./
COPY docs docs
COPY local local
COPY web/__init__.py web/
COPY web/docs web/docs
RUN python -m local.docs_site

FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# A volume that is mounted on this folder takes over its owner.
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin pressroom \
 && install --directory --owner pressroom --group pressroom /var/lib/pressroom/media /var/lib/pressroom/metrics
WORKDIR /app

COPY deploy/requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock

COPY shared shared
COPY web web
COPY worker worker
COPY *.md ./
COPY docs docs
COPY --from=docs /app/.docs .docs

USER pressroom

# A worker that is asked to stop ends what is under way, then gives up the rest within bounds.
ENV REMAP_SIGTERM=SIGQUIT

CMD ["python", "-m", "gunicorn", "-c", "web/gunicorn_conf.py", "--bind", "0.0.0.0:8000", "web.app:create_app()"]
