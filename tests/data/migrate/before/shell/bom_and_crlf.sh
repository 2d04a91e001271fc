#!/bin/sh
daphne \
  -p 8000 site.asgi:application
echo daphne
