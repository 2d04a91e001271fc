"""The admin: ads, and the conversations about them."""

from django.contrib import admin

from .models import ChatMessage, ChatRoom, ClassifiedAd


@admin.register(ClassifiedAd)
class ClassifiedAdAdmin(admin.ModelAdmin):
    list_display = ("id", "title", "publisher", "price", "created_at")
    search_fields = ("title", "description")


@admin.register(ChatRoom)
class ChatRoomAdmin(admin.ModelAdmin):
    list_display = ("id", "ad", "publisher", "client")


@admin.register(ChatMessage)
class ChatMessageAdmin(admin.ModelAdmin):
    list_display = ("id", "sender", "room", "created_at")
    search_fields = ("message", "sender__username")
