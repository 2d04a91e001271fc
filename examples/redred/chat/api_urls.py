"""Routes of the chat's JSON API, below /api/chat/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("rooms/", api_views.rooms),
    path("rooms/<str:room_name>/messages/", api_views.messages),
]
