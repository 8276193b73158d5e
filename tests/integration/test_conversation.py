"""The conversation of a request: who may speak and read, who is told, and that it stands."""

import pytest
from django.utils import timezone

from deployments.actions import conversation
from deployments.actions.conversation import mentions
from deployments.models import Comment, DeploymentRequest
from portal.errors import Absent, Invalid
from portal.models import Event, Notification, Person
from tests.api import Api, same_at_any_size
from tests.cast import Cast
from tests.factories import bundle_registered, request_at
from tests.pages import outsider_sees_nothing, queries_of, signed_in, words


@pytest.fixture
def wish(cast: Cast) -> DeploymentRequest:
    return request_at(cast, "open", bundle_registered(cast), cast.prod)


def told(person: Person) -> list[str]:
    return [one.line for one in Notification.objects.filter(person=person).order_by("pk")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@fay and @Fay, see fay@example.com", ("fay",)),
        ("(@eli) @mona.", ("eli", "mona")),
        ("@ a@b @@c x@y.z", ()),
        ("mail@example.com @o.k-a_y!", ("o.k-a_y",)),
        ("@ravi@example.com", ("ravi@example.com",)),
    ],
)
def test_a_mention_is_a_login_after_an_at(text: str, found: tuple[str, ...]) -> None:
    assert mentions(text) == found


def test_who_is_mentioned_who_asked_and_who_spoke_is_told(cast: Cast, wish: DeploymentRequest) -> None:
    conversation.say(by=cast.eli, request=wish, text="Which population was it counted on?")
    assert told(cast.dev) == ["Customer churn: Eli Brandt said something about v1 to Production"]
    said = conversation.say(by=cast.dev, request=wish, text="The whole of it. @fay, please look; @fay.")
    assert said.unknown == ()
    assert told(cast.fay) == ["Customer churn: Dev Rao mentioned you about v1 to Production"]
    assert told(cast.eli) == ["Customer churn: Dev Rao said something about v1 to Production"]
    assert len(told(cast.dev)) == 1, "nobody is told what they said themselves"
    event = Event.objects.filter(kind="request.commented").latest("seq")
    assert b"The whole of it" not in bytes(event.body), (
        "what was said can be erased, and every proof still holds"
    )


def test_nobody_is_told_of_what_they_may_not_see_and_nobody_learns_who_is_there(
    cast: Cast, wish: DeploymentRequest
) -> None:
    said = conversation.say(by=cast.dev, request=wish, text="@otto @nobody @system look")
    assert said.unknown == ("otto", "nobody", "system")
    assert not Notification.objects.exists()
    answer = signed_in(cast.dev).post(f"{wish.address}conversation/", {"text": "@otto look"}, follow=True)
    assert "@otto was not told: nobody who may see this project signs in so" in words(answer)


def test_outsiders_neither_read_nor_speak(cast: Cast, wish: DeploymentRequest) -> None:
    outsider_sees_nothing(signed_in(cast.otto), f"{wish.address}conversation/")
    outsider_sees_nothing(signed_in(cast.otto), f"{wish.address}conversation/", post=True)
    with pytest.raises(Absent):
        conversation.say(by=cast.otto, request=wish, text="Let me in.")
    assert not Comment.objects.exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (" \n ", "text_missing"),
        ("x" * 5001, "text_long"),
        (" ".join(f"@p{number}" for number in range(21)), "too_many_mentions"),
    ],
)
def test_what_cannot_be_said(cast: Cast, wish: DeploymentRequest, text: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        conversation.say(by=cast.dev, request=wish, text=text)
    assert (refusal.value.code, refusal.value.field) == (code, "text")
    assert not Comment.objects.exists()


def test_it_stands_on_the_page_as_it_was_written_and_is_never_deleted(
    cast: Cast, wish: DeploymentRequest
) -> None:
    client = signed_in(cast.dev)
    client.post(f"{wish.address}conversation/", {"text": "<script>alert(1)</script>\nsecond line"})
    page = client.get(wish.address).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    with pytest.raises(TypeError, match="never deleted"):
        Comment.objects.get().delete()
    with pytest.raises(Exception, match=r"(?i)unique"):
        Comment.objects.get().save()


def test_over_the_api(cast: Cast, wish: DeploymentRequest) -> None:
    api = Api(signed_in(cast.dev))
    said = api.post(f"requests/{wish.pk}/comments/", text="@fay and @otto")
    assert [one["name"] for one in said["mentioned"]] == ["Fay Okafor"]
    assert said["unknown"] == ["otto"]
    assert [row["text"] for row in api.rows(f"requests/{wish.pk}/comments/")] == ["@fay and @otto"]


def test_a_long_conversation_takes_as_many_queries_as_a_short_one(
    cast: Cast, wish: DeploymentRequest
) -> None:
    def grow(count: int) -> None:
        made = Comment.objects.bulk_create(
            Comment(request=wish, text=f"Said {n}", written_by=cast.eli, written_at=timezone.now())
            for n in range(count)
        )
        for one in made[:20]:
            one.mentioned.set([cast.fay])

    path = f"{wish.address}conversation/"
    grow(60)
    short, page = queries_of(signed_in(cast.fay), path), queries_of(signed_in(cast.fay), wish.address)
    grow(940)
    assert queries_of(signed_in(cast.fay), path) == short
    assert queries_of(signed_in(cast.fay), wish.address) == page
    assert "All 1,000" in words(signed_in(cast.fay).get(wish.address))
    other = request_at(cast, "open", bundle_registered(cast, "v2"), cast.qa)

    def grow_other(count: int) -> None:
        Comment.objects.bulk_create(
            Comment(request=other, text="x", written_by=cast.eli) for _ in range(count)
        )

    same_at_any_size(Api(signed_in(cast.fay)), f"requests/{other.pk}/comments/", grow_other)
