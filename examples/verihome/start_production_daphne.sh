#!/usr/bin/env bash
# Production start, behind nginx. Set SECRET_KEY, ALLOWED_HOSTS and REDIS_URL first; see README.md.
set -euo pipefail
cd "$(dirname "$0")"

export DEBUG=0
if [ -z "${SECRET_KEY:-}" ]; then
  echo "SECRET_KEY is not set: using a random one, logins end with this process." >&2
  SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(50))")
  export SECRET_KEY
fi

mkdir -p logs
python manage.py migrate --noinput
python manage.py collectstatic --noinput
python - <<'PYTHON'
from verihome.settings import CHANNEL_LAYERS

if "redis" not in CHANNEL_LAYERS["default"]["BACKEND"]:
    print("Redis is not in use: run a single process only.")
PYTHON

exec daphne -b 0.0.0.0 -p "${PORT:-8000}" --proxy-headers verihome.asgi:application
