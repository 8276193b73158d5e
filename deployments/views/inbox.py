"""The inbox: what waits for me, what I asked for, what went wrong."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from deployments import inbox
from deployments.words import whole_story
from governance.sentences import title
from portal.pages import counts, person_of, place_of


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Three lists, the one that waits first; of that, what comes after a request, for whoever looks on."""
    person = person_of(request)
    after = place_of(request, "after")
    waits = inbox.waits_for(person, after)
    if after is None:
        counts(request, inbox=waits.count)
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
            "after": after,
            "more_url": f"{reverse('inbox')}?after={waits.next}",
            "mine": inbox.asked_by(person),
            "wrong": wrong,
            "stories": [(promotion, whole_story(promotion)) for promotion in wrong.promotions],
        },
    )
