"""Posts, likes, comments and follows. What they set off is in notifications/signals.py."""

from django.contrib.auth import get_user_model
from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.api_support import endpoint
from core.payload import MAX_ID, RequestError, id_field, text_field

from .models import Comment, Follow, Like, Post

MAX_TEXT = 10_000  # characters of a post or comment
SHOWN = 50  # the latest posts


def get_post(post_id: int) -> Post:
    post = Post.objects.filter(pk=post_id).first() if post_id <= MAX_ID else None
    if post is None:
        raise RequestError("not_found", "No such post.")
    return post


@endpoint("GET", "POST")
def posts(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        text = text_field(request.data, "text", limit=MAX_TEXT)
        post = Post.objects.create(author=request.user, text=text)
        return JsonResponse({"id": post.pk}, status=201)
    mine = Like.objects.filter(post=OuterRef("pk"), user=request.user)
    follows = Follow.objects.filter(follower=request.user, followed=OuterRef("author"))
    found = (
        Post.objects.select_related("author")
        .prefetch_related("comments__author")
        .annotate(like_count=Count("likes"), is_liked=Exists(mine), is_followed=Exists(follows))
    )
    return JsonResponse({"results": [post_data(post) for post in found[:SHOWN]]})


def post_data(post: Post) -> dict:
    return {
        "id": post.pk,
        "author_id": post.author_id,
        "author": post.author.get_username(),
        "author_name": post.author.get_full_name(),
        "text": post.text,
        "created_at": post.created_at.isoformat(),
        "likes": post.like_count,
        "is_liked": post.is_liked,
        "is_followed": post.is_followed,
        "comments": [comment_data(comment) for comment in post.comments.all()],
    }


def comment_data(comment: Comment) -> dict:
    return {
        "id": comment.pk,
        "author": comment.author.get_username(),
        "parent": comment.parent_id,
        "text": comment.text,
    }


@endpoint("POST", body=False)
def like(request: HttpRequest, post_id: int) -> JsonResponse:
    _, created = Like.objects.get_or_create(post=get_post(post_id), user=request.user)
    return JsonResponse({"liked": True}, status=201 if created else 200)


@endpoint("POST")
def comments(request: HttpRequest, post_id: int) -> JsonResponse:
    post = get_post(post_id)
    text = text_field(request.data, "text", limit=MAX_TEXT)
    parent = None
    if request.data.get("parent") is not None:
        parent = post.comments.filter(pk=id_field(request.data, "parent")).first()
        if parent is None:
            raise RequestError("not_found", "No such comment on this post.")
    comment = Comment.objects.create(post=post, author=request.user, parent=parent, text=text)
    return JsonResponse({"id": comment.pk}, status=201)


@endpoint("POST", "DELETE", body=False)
def follow(request: HttpRequest, username: str) -> HttpResponse:
    followed = get_user_model().objects.filter(username=username, is_active=True).first()
    if followed is None:
        raise RequestError("not_found", "No such user.")
    if followed == request.user:
        raise RequestError("invalid_payload", "Nobody follows himself.")
    if request.method == "DELETE":
        Follow.objects.filter(follower=request.user, followed=followed).delete()
        return HttpResponse(status=204)
    _, created = Follow.objects.get_or_create(follower=request.user, followed=followed)
    return JsonResponse({"following": True}, status=201 if created else 200)
