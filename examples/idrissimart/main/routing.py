"""WebSocket routes. On a path that none matches URLRouter raises, and the handshake fails."""

from django.urls import re_path

from .consumers import AdChatConsumer, SupportChatConsumer

websocket_urlpatterns = [
    re_path(r"^ws/chat/ad/(?P<ad_id>[0-9]+)/$", AdChatConsumer.as_asgi()),
    re_path(r"^ws/chat/support/(?P<room_name>[\w-]+)/$", SupportChatConsumer.as_asgi()),
]
