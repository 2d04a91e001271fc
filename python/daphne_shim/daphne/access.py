"""Access log lines out of actions, in Daphne's format."""

import datetime

_WEBSOCKET_WORDS = {
    "connecting": "WSCONNECTING",
    "connected": "WSCONNECT",
    "disconnected": "WSDISCONNECT",
    "rejected": "WSREJECT",
}


class AccessLogGenerator:
    """An action logger that writes one line per action to a text stream."""

    def __init__(self, stream):
        self.stream = stream

    def __call__(self, protocol, action, details):
        """Writes the line of one action; others than Daphne's have none."""
        now = datetime.datetime.now()
        if protocol == "http" and action == "complete":
            request = f"{details['method']} {details['path']}"
            self.write_entry(
                details["client"], now, request, status=details["status"], length=details["size"]
            )
        elif protocol == "websocket" and action in _WEBSOCKET_WORDS:
            request = f"{_WEBSOCKET_WORDS[action]} {details['path']}"
            self.write_entry(details["client"], now, request)

    def write_entry(self, host, date, request, status=None, length=None, ident=None, user=None):
        """Writes a line in the common log format, with - for what is empty."""
        self.stream.write(
            f"{host} {ident or '-'} {user or '-'} [{date:%d/%b/%Y:%H:%M:%S}] "
            f'"{request}" {status or "-"} {length or "-"}\n'
        )
