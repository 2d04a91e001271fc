"""Programs that run another one, which their arguments name: how to find it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wrapper:
    """How a program names the one that it runs."""

    valued: frozenset[str] = frozenset()
    """Options that have their value in the next word."""
    skip: int = 0
    """How many words stand before the command."""
    verbs: dict[str, int] = field(default_factory=dict)
    """Where a verb has to come first, such as ``run``: the verbs, each with its own `skip`."""
    dashes: bool = False
    """Whether the command only begins after ``--``."""
    needs: frozenset[str] = frozenset()
    """Options of which one has to stand there, for else the arguments name no command."""

    def command(self, arguments: Sequence[str]) -> int | None:
        """Where among the arguments the command begins."""
        if self.dashes:
            return list(arguments).index("--") + 1 if "--" in arguments else None
        position = self._after_options(arguments, 0)
        if self.needs and not any(self._is_needed(word) for word in arguments[:position]):
            return None
        skip = self.skip
        if self.verbs:
            if position >= len(arguments) or arguments[position] not in self.verbs:
                return None
            skip = self.verbs[arguments[position]]
            position = self._after_options(arguments, position + 1)
        position += skip
        if arguments[position : position + 1] == ["--"]:
            position += 1
        return position

    def _is_needed(self, word: str) -> bool:
        return word.partition("=")[0] in self.needs or (
            not word.startswith("--") and word[:2] in self.needs
        )

    def _after_options(self, arguments: Sequence[str], position: int) -> int:
        while position < len(arguments) and arguments[position].startswith("-"):
            option = arguments[position]
            position += 1
            if option == "--":
                break
            # "-iu NAME" is "-i -u NAME", but in "-uNAME" the value is there already.
            is_joined = len(option) > 2 and option[1] != "-" and option[:2] not in self.valued
            position += option in self.valued or (is_joined and f"-{option[-1]}" in self.valued)
        return position


def _wrapper(valued: str = "", skip: int = 0, dashes: bool = False, **verbs: int) -> Wrapper:
    return Wrapper(frozenset(valued.split()), skip, verbs, dashes)


_CONTAINER = (
    "-e --env -v --volume -p --publish -u --user -w --workdir --name --network --net --env-file -h "
    "--hostname -l --label --entrypoint --mount -m --memory --cpus --restart --platform --add-host "
    "--log-driver --log-opt --link --ip --dns --ulimit --shm-size --gpus --device --cap-add "
    "--tmpfs -f --file --project-name --project-directory --profile --index --context -H --host"
)
_RUN_AS = _wrapper(skip=1)
_PLAIN = _wrapper()
_PYTHON_TOOL = _wrapper(
    "-C --directory -P --project -p --python -n -e --extra --group --with --env-file -f --package",
    run=0,
)

WRAPPERS: dict[str, Wrapper] = {
    "exec": _wrapper("-a"),
    "env": _wrapper("-u --unset -C --chdir"),
    "nice": _wrapper("-n --adjustment"),
    "ionice": _wrapper("-c --class -n --classdata -p --pid -P --pgid -u --uid"),
    "sudo": _wrapper(
        "-u --user -g --group -h --host -p --prompt -C --close-from -r --role -t --type -T "
        "--command-timeout -D --chdir -R --chroot -U --other-user"
    ),
    "npx": _wrapper("-p --package -w --workspace"),
    "xvfb-run": _wrapper("-e -f -n -p -s --error-file --auth-file --server-num --server-args"),
    "doas": _wrapper("-u -C"),
    "time": _wrapper("-f --format -o --output"),
    "timeout": _wrapper("-s --signal -k --kill-after", skip=1),
    "stdbuf": _wrapper("-i --input -o --output -e --error"),
    "taskset": _RUN_AS,
    "chrt": _RUN_AS,
    "chroot": _RUN_AS,
    "numactl": _wrapper("-m -N -C -i"),
    "strace": _wrapper("-o -e -p -s -u"),
    "flock": _wrapper("-w --timeout -E", skip=1),
    # Without -u it is as su: the first word is the user, and -c has the command.
    "runuser": Wrapper(
        valued=frozenset(["-u", "--user", "-g", "--group", "-G", "--supp-group"]),
        needs=frozenset(["-u", "--user"]),
    ),
    "daemon": _wrapper("-u --user -n --name -D --chdir -F --pidfile -P --pidfiles -o --output"),
    "chpst": _wrapper("-u -U -e -/ -n -l -L -m -d -o -p -f -c"),
    "setuidgid": _RUN_AS,
    "s6-setuidgid": _RUN_AS,
    "gosu": _RUN_AS,
    "su-exec": _RUN_AS,
    "setpriv": _wrapper("--reuid --regid --ruid --rgid --euid --egid --groups"),
    "tini": _wrapper("-p -e"),
    "dumb-init": _wrapper("-r --rewrite"),
    "systemd-run": _wrapper(
        "-p --property -u --unit -E --setenv --uid --gid --slice -M --machine -H --host"
    ),
    "systemd-cat": _wrapper("-t --identifier -p --priority"),
    "dockerize": _wrapper("-wait -timeout -template -stdout -stderr -wait-retry-interval"),
    "screen": _wrapper("-S -dmS -L -c -t"),
    "conda": _wrapper("-n --name -p --prefix", run=0),
    "uv": _PYTHON_TOOL,
    "docker": _wrapper(_CONTAINER, run=1, exec=1),
    "docker-compose": _wrapper(_CONTAINER, run=1, exec=1),
    "kubectl": _wrapper(dashes=True),
    "aws-vault": _wrapper(dashes=True),
    "chamber": _wrapper(dashes=True),
    "envconsul": _wrapper(dashes=True),
    "watchmedo": _wrapper(dashes=True),
    "heroku": _wrapper("-a --app -s --size", run=0, local=0),
    "newrelic-admin": Wrapper(verbs={"run-program": 0}),
    "opentelemetry-instrument": _wrapper("--traces_exporter --metrics_exporter --service_name"),
    "dotenv": _wrapper("-f --file", run=0),
    **dict.fromkeys(["podman", "nerdctl"], _wrapper(_CONTAINER, run=1, exec=1)),
    **dict.fromkeys(["poetry", "pipenv", "pdm", "hatch", "rye", "pixi"], _PYTHON_TOOL),
    **dict.fromkeys(["mamba", "micromamba"], _wrapper("-n --name -p --prefix", run=0)),
    **dict.fromkeys(["doppler", "infisical", "op", "honcho", "foreman"], _wrapper("-p -c", run=0)),
    **dict.fromkeys(
        [
            "nohup",
            "setsid",
            "command",
            "builtin",
            "tini-static",
            "catatonit",
            "ddtrace-run",
            "with-contenv",
            "unbuffer",
            "caffeinate",
            "@reboot",
            "start-nginx",
            "start-pgbouncer",
        ],
        _PLAIN,
    ),
}

STRINGS = {
    "eval": None,
    "trap": None,
    "watchfiles": None,
    "concurrently": None,
    "tmux": None,
    "ssh": None,
    "nodemon": ("-x", "--exec"),
    "su": ("-c", "--command"),
    "runuser": ("-c", "--command"),
    "script": ("-c", "--command"),
    "flock": ("-c", "--command"),
    "env": ("-S", "--split-string"),
    "nix-shell": ("--run", "--command"),
    "flyctl": ("-C", "--command"),
    "fly": ("-C", "--command"),
}
"""Programs that run what one of their words holds; None: any word with a blank in it."""

SHELLS = ("sh", "bash", "dash", "zsh", "ash", "ksh", "busybox")
LOOKUPS = ("which", "command", "type", "hash", "whereis", "realpath", "readlink")
"""What says where a program is."""
BY_NAME = ("pgrep", "pkill", "pidof", "killall", "pidwait", "killproc", "pidofproc")
"""What finds processes by their name."""
USERS_AND_GROUPS = ("-u", "-U", "-g", "-G", "--user", "--euid", "--uid", "--group", "--pgroup")
"""Options of these that are followed by a name of something else."""
