"""Routes of the streams' JSON API, below /api/live/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("", api_views.streams),
    path("<str:stream_id>/comments/", api_views.comments),
]
