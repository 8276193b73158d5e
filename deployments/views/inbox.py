"""The inbox: what waits for me, what I asked for, what went wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from deployments import inbox
from deployments.judging import findings_in_words
from deployments.words import whole_story
from portal.pages import person_of


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Three lists, the one that waits first."""
    person = person_of(request)
    waiting = inbox.waits_for(person)
    wrong = inbox.went_wrong(person)
    return render(
        request,
        "deployments/inbox.html",
        {
            "waiting": [
                {
                    "item": one,
                    "sign": [row for row in findings_in_words(one.judged) if row["key"] in one.sign]
                    if one.sign
                    else [],
                }
                for one in waiting
            ],
            "cut": len(waiting) >= inbox.LIMIT,
            "mine": inbox.asked_by(person),
            "wrong": wrong,
            "stories": [(promotion, whole_story(promotion)) for promotion in wrong.promotions],
        },
    )
