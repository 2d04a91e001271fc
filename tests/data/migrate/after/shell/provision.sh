#!/bin/bash
cat > /etc/systemd/system/daphne.service <<'UNIT'
[Service]
User=daphne
ExecStart=/srv/venv/bin/cppasgi -p 8000 site.asgi:application
UNIT
sudo tee /etc/supervisor/conf.d/daphne.conf >/dev/null <<EOF
[program:daphne]
command=/srv/venv/bin/cppasgi -p 8001 site.asgi:application
EOF
psql <<SQL
CREATE USER daphne; GRANT ALL ON DATABASE daphne TO daphne;
SQL
cat <<TEXT
daphne -p 8000 is how it was started
TEXT
ssh web <<EOF
cd /srv && cppasgi -p 8000 site.asgi:application
EOF
cat > notes.txt <<-END
	daphne -p 80 site.asgi:application
	END
