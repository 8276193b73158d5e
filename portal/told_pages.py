"""The page of what somebody was told."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal import telling
from portal.pages import page_of, person_of


@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """What I was told, newest first. What stands on the page counts as read from then on."""
    person = person_of(request)
    page = page_of(request, telling.told(person))
    rows = list(page.object_list)
    unread = [one.pk for one in rows if one.read_at is None]
    if unread:
        telling.read(person, unread)
    return render(request, "portal/notifications.html", {"page": page, "rows": rows})
