"""The admin of streams, who may do what in them, and their comments."""

from django.contrib import admin

from .models import LiveStream, StreamComment, StreamMember


@admin.register(LiveStream)
class LiveStreamAdmin(admin.ModelAdmin):
    list_display = ("stream_id", "streamer", "status", "created_at")
    list_filter = ("status",)


@admin.register(StreamMember)
class StreamMemberAdmin(admin.ModelAdmin):
    list_display = ("id", "stream", "user", "role", "is_kicked")


@admin.register(StreamComment)
class StreamCommentAdmin(admin.ModelAdmin):
    list_display = ("id", "user", "stream", "text", "created_at", "is_deleted")
    search_fields = ("text", "user__username")
