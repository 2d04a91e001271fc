#!/bin/bash
daphne() {
  docker compose run --rm web daphne "$@"
}
start_daphne() { command daphne -p 1 site.asgi:application; }
daphne -p 8000 site.asgi:application
alias daphne='uvicorn'
start_daphne
