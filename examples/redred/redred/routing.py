"""WebSocket routes. On a path that none matches URLRouter raises, and the handshake fails."""

from django.urls import re_path

from chat.consumers import ChatConsumer
from live.consumers import LiveStreamConsumer
from notifications.consumers import NotificationConsumer

websocket_urlpatterns = [
    re_path(r"^ws/chat/room_(?P<room_id>[0-9]{1,18})/$", ChatConsumer.as_asgi()),
    re_path(r"^ws/chat/(?P<room_name>[^/]+)/$", ChatConsumer.as_asgi()),  # no such room: refused
    re_path(r"^ws/notifications/$", NotificationConsumer.as_asgi()),
    re_path(r"^ws/live/(?P<stream_id>[A-Za-z0-9_-]{1,64})/$", LiveStreamConsumer.as_asgi()),
]
