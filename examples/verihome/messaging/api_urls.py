"""Routes of the JSON API, below /api/v1/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("", api_views.index),
    path("health/", api_views.health),
    path("auth/login/", api_views.log_in),
    path("users/", api_views.users),
    path("threads/", api_views.threads),
    path("threads/<str:thread_id>/messages/", api_views.messages),
    path("notifications/", api_views.notifications),
    path("realtime/stats/", api_views.realtime_stats),
]
