#!/bin/bash
$VENV/bin/cppasgi -p 1 a.asgi:app &
"${VENV}"/bin/cppasgi -p 2 a.asgi:app &
nice -n 10 cppasgi -p 3 a.asgi:app &
nice -10 ionice -c 3 cppasgi -p 4 a.asgi:app &
sudo -u daphne -g daphne cppasgi -p 5 a.asgi:app &
sudo -u www-data -- env -i PATH="$PATH" cppasgi -p 6 a.asgi:app &
timeout --signal=INT 60 cppasgi -p 7 a.asgi:app
timeout -k 5 60 python3.12 -u -m cppasgi -p 8 a.asgi:app
bash -c "cd /srv && exec cppasgi -p 9 a.asgi:app"
bash -lc 'source env; cppasgi -p 10 a.asgi:app'
su - daphne -c '/srv/venv/bin/cppasgi -p 11 a.asgi:app'
runuser -u daphne -- cppasgi -p 12 a.asgi:app
gosu daphne cppasgi -p 13 a.asgi:app
DJANGO_SETTINGS_MODULE=a.settings FOO=daphne cppasgi -p 14 a.asgi:app
poetry run cppasgi -p 15 a.asgi:app; pipenv run cppasgi -p 16 a.asgi:app
uv run --env-file .env cppasgi -p 17 a.asgi:app || uv run python -m cppasgi -p 18 a.asgi:app
docker run --rm --name daphne -p 80:80 site cppasgi -b 0.0.0.0 a.asgi:app
docker compose exec -T daphne cppasgi -p 19 a.asgi:app
kubectl exec deploy/daphne -- cppasgi --version
screen -dmS daphne cppasgi -p 20 a.asgi:app
tmux new-session -d -s daphne 'cppasgi -p 21 a.asgi:app'
while ! cppasgi -p 22 a.asgi:app; do sleep 1; done
(cd /srv; cppasgi -p 23 a.asgi:app) | tee daphne.log
coverage run -m cppasgi -p 24 a.asgi:app
exec $(which cppasgi) -p 25 a.asgi:app
python "$(command -v cppasgi)" -p 26 a.asgi:app
watchfiles "cppasgi -p 27 a.asgi:app" src
trap 'echo daphne' EXIT
systemctl restart daphne; service daphne restart; supervisorctl restart daphne
pgrep -u daphne daphne; kill "$(pidof daphne)"; ps aux | grep daphne
