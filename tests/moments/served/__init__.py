"""What the servers of these tests serve; see asgi.py."""
