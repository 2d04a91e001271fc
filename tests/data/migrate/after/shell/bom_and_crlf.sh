#!/bin/sh
cppasgi \
  -p 8000 site.asgi:application
echo daphne
