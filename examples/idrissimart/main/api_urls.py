"""Routes of the JSON API, below /api/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("health/", api_views.health),
    path("auth/login/", api_views.log_in),
    path("auth/logout/", api_views.log_out),
    path("ads/", api_views.ads),
    path("chat/rooms/", api_views.rooms),
    path("chat/ad/<int:ad_id>/messages/", api_views.ad_messages),
    path("debug/scope/", api_views.debug_scope),
]
