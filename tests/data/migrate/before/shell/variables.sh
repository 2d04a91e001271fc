#!/bin/bash
NAME=daphne
USER="daphne"
DAPHNE="${VENV:-/srv/venv}/bin/daphne"
COMMAND="daphne -b 0.0.0.0 site.asgi:application"
ARGV=(sudo -u daphne daphne --name daphne)
UNUSED=/usr/bin/daphne
ARGV+=(-b 127.0.0.1)
"$DAPHNE" -p 8000 site.asgi:application &
eval "$COMMAND"
$COMMAND &
"${ARGV[@]}" site.asgi:application &
"${SERVER:-daphne}" -p 8002 site.asgi:application
systemctl restart $NAME
