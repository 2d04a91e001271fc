"""The front page: static HTML that loads its script and style from the static files."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def front_page(request: HttpRequest) -> HttpResponse:
    return render(request, "main/index.html")
