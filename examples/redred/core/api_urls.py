"""Routes of the JSON API that belong to no single part, below /api/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("health/", api_views.health),
    path("auth/login/", api_views.log_in),
    path("auth/logout/", api_views.log_out),
    path("users/", api_views.users),
]
