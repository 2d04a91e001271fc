#!/bin/sh
# Démarre daphne
echo "Démarrage"
exec daphne -p 8000 site.asgi:application
