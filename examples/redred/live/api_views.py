"""The streams that one can watch, and what was said in one before one came."""

from django.http import HttpRequest, JsonResponse

from core.api_support import endpoint
from core.payload import RequestError

from .consumers import comment_data
from .models import LiveStream
from .services import count_viewers

SHOWN = 50  # the latest


@endpoint("GET")
def streams(request: HttpRequest) -> JsonResponse:
    running = LiveStream.objects.exclude(status=LiveStream.Status.ENDED)
    found = running.select_related("streamer")[:SHOWN]
    return JsonResponse({"results": [stream_data(stream) for stream in found]})


def stream_data(stream: LiveStream) -> dict:
    return {
        "stream_id": stream.stream_id,
        "streamer": stream.streamer.get_username(),
        "streamer_name": stream.streamer.get_full_name(),
        "status": stream.status,
        "viewers_count": count_viewers(stream),
    }


@endpoint("GET")
def comments(request: HttpRequest, stream_id: str) -> JsonResponse:
    stream = LiveStream.objects.filter(stream_id=stream_id).first()
    if stream is None:
        raise RequestError("not_found", "No such stream.")
    shown = stream.comments.filter(is_deleted=False).select_related("user").order_by("-id")[:SHOWN]
    return JsonResponse({"results": [comment_data(comment) for comment in reversed(shown)]})
