"""One server in one process: its sockets, its event loop, its application, and how it stops."""
