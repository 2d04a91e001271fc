"""The admin of private rooms and their messages."""

from django.contrib import admin

from .models import ChatMessage, ChatRoom


@admin.register(ChatRoom)
class ChatRoomAdmin(admin.ModelAdmin):
    list_display = ("id", "first", "second", "first_sockets", "second_sockets")


@admin.register(ChatMessage)
class ChatMessageAdmin(admin.ModelAdmin):
    list_display = ("id", "sender", "room", "created_at", "read_at")
    search_fields = ("text", "sender__username")
