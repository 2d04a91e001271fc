#!/bin/sh
set -e
case "${1:-daphne}" in
  daphne)
    shift
    exec cppasgi -b 0.0.0.0 site.asgi:application "$@"
    ;;
  daphne-debug|debug) exec python -X dev -m cppasgi -v 2 site.asgi:application ;;
  (worker)
    exec python manage.py runworker daphne ;;
  *) exec "$@" ;;
esac
