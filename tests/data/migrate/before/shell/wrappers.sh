#!/bin/bash
$VENV/bin/daphne -p 1 a.asgi:app &
"${VENV}"/bin/daphne -p 2 a.asgi:app &
nice -n 10 daphne -p 3 a.asgi:app &
nice -10 ionice -c 3 daphne -p 4 a.asgi:app &
sudo -u daphne -g daphne daphne -p 5 a.asgi:app &
sudo -u www-data -- env -i PATH="$PATH" daphne -p 6 a.asgi:app &
timeout --signal=INT 60 daphne -p 7 a.asgi:app
timeout -k 5 60 python3.12 -u -m daphne -p 8 a.asgi:app
bash -c "cd /srv && exec daphne -p 9 a.asgi:app"
bash -lc 'source env; daphne -p 10 a.asgi:app'
su - daphne -c '/srv/venv/bin/daphne -p 11 a.asgi:app'
runuser -u daphne -- daphne -p 12 a.asgi:app
gosu daphne daphne -p 13 a.asgi:app
DJANGO_SETTINGS_MODULE=a.settings FOO=daphne daphne -p 14 a.asgi:app
poetry run daphne -p 15 a.asgi:app; pipenv run daphne -p 16 a.asgi:app
uv run --env-file .env daphne -p 17 a.asgi:app || uv run python -m daphne -p 18 a.asgi:app
docker run --rm --name daphne -p 80:80 site daphne -b 0.0.0.0 a.asgi:app
docker compose exec -T daphne daphne -p 19 a.asgi:app
kubectl exec deploy/daphne -- daphne --version
screen -dmS daphne daphne -p 20 a.asgi:app
tmux new-session -d -s daphne 'daphne -p 21 a.asgi:app'
while ! daphne -p 22 a.asgi:app; do sleep 1; done
(cd /srv; daphne -p 23 a.asgi:app) | tee daphne.log
coverage run -m daphne -p 24 a.asgi:app
exec $(which daphne) -p 25 a.asgi:app
python "$(command -v daphne)" -p 26 a.asgi:app
watchfiles "daphne -p 27 a.asgi:app" src
trap 'echo daphne' EXIT
systemctl restart daphne; service daphne restart; supervisorctl restart daphne
pgrep -u daphne daphne; kill "$(pidof daphne)"; ps aux | grep daphne
