"""The inbox: what waits for me, what I asked for, what went wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET

from deployments import inbox
from deployments.words import whole_story
from governance import reviews
from governance.review_pages import url_of
from governance.sentences import title
from portal.pages import counts, person_of, place_of


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Three lists, the one that waits first; of that, what comes after a request, for whoever looks on."""
    person = person_of(request)
    after = place_of(request, "after")
    waits = inbox.waits_for(person, after)
    asked = reviews.waits_for(person)
    if after is None:
        counts(request, inbox=inbox.with_reviews(waits, asked))
    wrong = inbox.went_wrong(person)
    return render(
        request,
        "deployments/inbox.html",
        {
            "waiting": [
                {
                    "item": one,
                    "sign": [
                        {"key": clause.key, "title": title(clause)}
                        for clause in one.judged.case.requirements
                        if clause.key in one.sign
                    ],
                }
                for one in waits.found
            ],
            "waits": waits,
            "reviews": [(one, url_of(one)) for one in asked],
            "after": after,
            "more_url": f"{reverse('inbox')}?after={waits.next}",
            "mine": inbox.asked_by(person),
            "wrong": wrong,
            "stories": [(promotion, whole_story(promotion)) for promotion in wrong.promotions],
        },
    )


@require_GET
def count(request: HttpRequest) -> HttpResponse:
    """How much waits, for the navigation of every other page: judging it takes longer than most of them."""
    waiting = inbox.count(person_of(request))
    return HttpResponse(format_html('<span class="count">{}</span>', waiting) if waiting else "")
