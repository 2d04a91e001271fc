"""HTTP routes: the page, the JSON API, the admin and, in development, the static files."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from messaging.page import front_page

urlpatterns = [
    path("", front_page),
    path("admin/", admin.site.urls),
    path("api/v1/", include("messaging.api_urls")),
    *staticfiles_urlpatterns(),  # an empty list unless DEBUG is on
]
