"""The admin: threads with their messages, presence and notifications."""

from django.contrib import admin

from .models import Message, Notification, Presence, Thread


@admin.register(Thread)
class ThreadAdmin(admin.ModelAdmin):
    list_display = ("id", "first", "second", "created_at")


@admin.register(Message)
class MessageAdmin(admin.ModelAdmin):
    list_display = ("id", "sender", "thread", "sent_at", "read_at")
    list_filter = ("sent_at",)
    search_fields = ("content", "sender__username")


@admin.register(Presence)
class PresenceAdmin(admin.ModelAdmin):
    list_display = ("user", "open_sockets", "last_seen")


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):
    list_display = ("id", "title", "priority", "user", "created_at")
    list_filter = ("priority",)
