"""HTTP routes: the page, the JSON API, the admin and, in development, the static files."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from core.page import front_page

urlpatterns = [
    path("", front_page),
    path("admin/", admin.site.urls),
    path("api/", include("core.api_urls")),
    path("api/", include("social.api_urls")),
    path("api/chat/", include("chat.api_urls")),
    path("api/notifications/", include("notifications.api_urls")),
    path("api/live/", include("live.api_urls")),
    *staticfiles_urlpatterns(),  # an empty list unless DEBUG is on
]
