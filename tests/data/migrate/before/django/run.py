import os
import subprocess
import sys

name = "daphne"
if name == "daphne":
    subprocess.run(["daphne", "-b", "0.0.0.0", "site.asgi:application"], check=True)
subprocess.Popen([sys.executable, "-m", "daphne", "-p", "8001", "site.asgi:application"])
os.execvp("daphne", ["daphne", "-p", "8002", "site.asgi:application"])
os.system("sudo -u daphne daphne -p 8003 site.asgi:application")
subprocess.run(["pkill", "daphne"])
print("daphne", "-p")
