#!/bin/sh
# Démarre daphne
echo "Démarrage"
exec cppasgi -p 8000 site.asgi:application
