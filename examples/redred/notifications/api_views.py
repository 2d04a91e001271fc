"""The list of notifications, and the staff's way to send several as one set."""

from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.http import HttpRequest, JsonResponse

from core.api_support import endpoint
from core.payload import RequestError, text_field

from . import delivery
from .models import Notification

SHOWN = 50  # the latest
MAX_ITEMS = 500


@endpoint("GET")
def notifications(request: HttpRequest) -> JsonResponse:
    mine = Notification.objects.filter(recipient=request.user).select_related("from_user")
    results = [delivery.data_of(item) for item in mine[:SHOWN]]
    return JsonResponse({"results": results, "unread": delivery.count_unread(request.user.pk)})


@endpoint("POST")
def bulk(request: HttpRequest) -> JsonResponse:
    if not request.user.is_staff:
        raise RequestError("forbidden", "Only staff may do this.")
    username = text_field(request.data, "username", limit=150)
    items = request.data.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise RequestError("invalid_payload", f"items must be a list of 1 to {MAX_ITEMS}.")
    made = [new_notification(request.user, item) for item in items]
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise RequestError("not_found", "No such user.")
    for item in made:
        item.recipient = user
    Notification.objects.bulk_create(made)  # sends no signals: these are pushed together
    data = {"notifications": [delivery.data_of(item) for item in made]}
    unread = delivery.count_unread(user.pk)
    async_to_sync(delivery.send_with_count)(user.pk, "notification_batch", data, unread)
    return JsonResponse({"created": len(made)}, status=201)


def new_notification(from_user, item: object) -> Notification:
    if not isinstance(item, dict) or item.get("notification_type") not in Notification.Type.values:
        raise RequestError("invalid_payload", "Each item needs a known notification_type.")
    return Notification(
        from_user=from_user,
        notification_type=item["notification_type"],
        message=text_field(item, "message", limit=10_000),
    )
