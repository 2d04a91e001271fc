"""A real nginx in front of the examples, with TLS that it ends, on free ports of this machine."""

import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

MAIN = """
worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{sites}
}}
"""

# Everything to the ASGI servers, as docs/deploying.md describes it.
SITE = """
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream site {{ {servers} }}
    server {{
        listen 127.0.0.1:{port} {tls};
        location / {{
            proxy_pass http://site;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
"""


def everything_to(ports, port, tls=""):
    # A server that restarts is asked again at once, not after nginx's 10 s.
    servers = " ".join(f"server 127.0.0.1:{one} max_fails=0;" for one in ports)
    return SITE.format(servers=servers, port=port, tls=tls)


def make_certificate(folder):
    """A self-signed one for localhost; returns the certificate's and the key's path."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    extra = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*command, *names, *extra, *map(str, files)], check=True, capture_output=True)
    return certificate, key


def trusting(certificate):
    return ssl.create_default_context(cafile=str(certificate))


@contextmanager
def nginx_running(folder: Path, sites: str, *ports: int):
    """Run nginx with these server blocks until the block ends; they listen on `ports`."""
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed")
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder, sites=sites))
    with (folder / "nginx.out").open("w") as output:
        command = [NGINX, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        for port in ports:
            for _ in range(100):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert process.poll() is None, (folder / "nginx.out").read_text()
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()
