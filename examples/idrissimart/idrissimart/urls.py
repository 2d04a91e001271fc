"""HTTP routes: the page, the JSON API, the admin and, in development, the static files."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from main.page import front_page

urlpatterns = [
    path("", front_page),
    path("admin/", admin.site.urls),
    path("api/", include("main.api_urls")),
    *staticfiles_urlpatterns(),  # an empty list unless DEBUG is on
]
