#!/usr/bin/env bash
# Starts daphne in production.
set -euo pipefail
cd "$(dirname "$0")"
source .venv/bin/activate
export SERVER="daphne" DJANGO_SETTINGS_MODULE=site.settings
mkdir -p /run/daphne && chown daphne: /run/daphne
command -v daphne >/dev/null || pip install daphne
pkill -f daphne || true
echo "Starting daphne -b 0.0.0.0"
if [ "$SERVER" = daphne ]; then
  exec daphne -b 0.0.0.0 -p "${PORT:-8000}" --proxy-headers site.asgi:application
else
  exec gunicorn site.wsgi
fi
