# syntax=docker/dockerfile:1
# callsite as it runs in production: one uvicorn process a container, as a user without rights.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# A layer of its own: it is built again only when the requirements change.
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore -r requirements.txt

# The code belongs to root, so that the server cannot change it; /app/media is the only place it writes to,
# and a new volume mounted there takes over its owner.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin callsite \
    && install -d -o callsite -g callsite -m 0700 media
COPY manage.py ./
COPY callsite ./callsite
COPY calls ./calls
COPY webhooks ./webhooks
COPY realtime ./realtime
COPY upstream ./upstream
COPY simulator ./simulator
COPY deploy/healthcheck.py ./deploy/healthcheck.py
# Collects files and reads no setting that matters at run time; the key signs nothing.
RUN DJANGO_SECRET_KEY=only-while-building DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q callsite calls webhooks realtime upstream simulator \
    && chmod -R u=rwX,go=rX manage.py callsite calls webhooks realtime upstream simulator deploy staticfiles

USER callsite
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "deploy/healthcheck.py"]
# --proxy-headers: who the client is and that it came by https, as nginx says; from whom this is believed is
# FORWARDED_ALLOW_IPS. On SIGTERM open requests get 20 s, so give the container a little more.
CMD ["uvicorn", "callsite.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", \
     "--ws", "callsite.websocket_protocol:WebSocketProtocol", "--ws-per-message-deflate", "false", \
     "--timeout-graceful-shutdown", "20", "--proxy-headers"]
