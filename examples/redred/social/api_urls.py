"""Routes of posts and follows, below /api/."""

from django.urls import path

from . import api_views

urlpatterns = [
    path("posts/", api_views.posts),
    path("posts/<int:post_id>/like/", api_views.like),
    path("posts/<int:post_id>/comments/", api_views.comments),
    path("users/<str:username>/follow/", api_views.follow),
]
