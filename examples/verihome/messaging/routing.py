"""WebSocket routes. On a path that none matches URLRouter raises, and the handshake fails."""

from django.urls import re_path

from .consumers import MessageConsumer, NotificationConsumer, ThreadConsumer, UserStatusConsumer

websocket_urlpatterns = [
    re_path(r"^ws/messaging/$", MessageConsumer.as_asgi()),
    re_path(r"^ws/messaging/thread/(?P<thread_id>[\w-]+)/$", ThreadConsumer.as_asgi()),
    re_path(r"^ws/notifications/$", NotificationConsumer.as_asgi()),
    re_path(r"^ws/user-status/$", UserStatusConsumer.as_asgi()),
]
