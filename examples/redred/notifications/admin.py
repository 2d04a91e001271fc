"""The admin of notifications."""

from django.contrib import admin

from .models import Notification


@admin.register(Notification)
class NotificationAdmin(admin.ModelAdmin):
    list_display = ("id", "notification_type", "recipient", "from_user", "created_at", "read_at")
    list_filter = ("notification_type",)
