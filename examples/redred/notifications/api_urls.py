"""Routes of the notifications' JSON API, below /api/notifications/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("", api_views.notifications),
    path("bulk/", api_views.bulk),
]
