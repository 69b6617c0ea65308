# syntax=docker/dockerfile:1
# callsite as it runs in production: one uvicorn process per container, run by a user without privileges.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# The requirements have a layer of their own, which is rebuilt only when they change.
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore -r requirements.txt

# The code belongs to root, so that the server cannot change it. The server writes to /app/media only; a new volume that
# is mounted there takes over the owner of this folder.
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
# These commands only collect and compile files: the settings do not matter at run time, and the key signs nothing.
RUN DJANGO_SECRET_KEY=only-while-building DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q callsite calls webhooks realtime upstream simulator \
    && chmod -R u=rwX,go=rX manage.py callsite calls webhooks realtime upstream simulator deploy staticfiles

USER callsite
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "deploy/healthcheck.py"]
# --proxy-headers: take the client's address and scheme from the headers of nginx; FORWARDED_ALLOW_IPS lists the proxies
# to believe. On SIGTERM open requests get 20 s, so give the container a little more.
CMD ["uvicorn", "callsite.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", \
     "--ws", "callsite.websocket_protocol:WebSocketProtocol", "--ws-per-message-deflate", "false", \
     "--timeout-graceful-shutdown", "20", "--proxy-headers"]
