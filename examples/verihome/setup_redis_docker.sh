#!/usr/bin/env bash
# Starts Redis in a container named verihome-redis, waits until it answers and shows its log.
# Nothing else is changed; point the site at it with REDIS_URL=redis://localhost:6379.
set -euo pipefail

name=verihome-redis

if docker container inspect "$name" >/dev/null 2>&1; then
  docker start "$name" >/dev/null
else
  docker run --detach --name "$name" --restart unless-stopped --publish 127.0.0.1:6379:6379 \
    redis:alpine >/dev/null
fi

for _ in $(seq 20); do
  if docker exec "$name" redis-cli ping 2>/dev/null | grep -q PONG; then
    docker logs --tail 5 "$name"
    echo "Redis answers. Start the site with: export REDIS_URL=redis://localhost:6379"
    exit 0
  fi
  sleep 0.5
done

docker logs "$name" >&2
echo "Redis does not answer." >&2
exit 1
