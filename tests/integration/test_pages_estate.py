"""Pages of the estate, of a team's members and of a project's rules: what they show, what they change, and for whom."""

from typing import Any

import pytest

from portal.actions import changes, edits
from portal.estate_file import current, written
from portal.estate_words import told
from portal.models import Change, Membership, Node, Person, Pipeline, Place, Right, Stage
from tests.cast import Cast
from tests.pages import outsider_sees_nothing, queries_of, refused, signed_in, words

WHY = "It has to be."


def estate(edit: Any) -> str:
    document = current()
    edit(document)
    return written(document)


# --- the estate -------------------------------------------------------------------------------------------------------


def test_it_shows_pipelines_and_nodes_as_dss_calls_them(cast: Cast) -> None:
    for person in (cast.ada, cast.nora):
        shown = words(signed_in(person).get("/estate/"))
        assert "Standard standard · 2 projects" in shown
        assert "QA qa infra-qa INFRA_QA Deployer Automation QA" in shown
        shown = words(signed_in(person).get("/estate/nodes/"))
        assert "Automation QA auto-qa Automation node http://127.0.0.1:9/auto-qa auto-qa checked" in shown
    assert "Take in a file" in words(signed_in(cast.ada).get("/estate/file/"))
    assert "Take in a file" not in words(signed_in(cast.nora).get("/estate/file/"))
    assert signed_in(cast.nora).get("/estate/file/?download=1").content.decode() == written(current())


def test_it_is_for_who_looks_over_the_estate(cast: Cast) -> None:
    for path in ("/estate/", "/estate/nodes/", "/estate/file/"):
        for person in (cast.olga, cast.otto):
            refused(signed_in(person).get(path), 403, "on the whole estate")
    for path in ("/estate/file/", "/estate/file/draft/"):
        refused(signed_in(cast.nora).post(path, {"text": "nodes: {}", "why": WHY}), 403, "right to manage")
    assert "Estate" not in words(signed_in(cast.olga).get("/projects/"))


def test_a_file_is_previewed_and_then_applied(cast: Cast) -> None:
    ada = signed_in(cast.ada)

    def edit(document: dict[str, Any]) -> None:
        document["nodes"]["auto-qa"]["url"] = "https://qa.example.com"
        document["nodes"]["spare"] = {**document["nodes"]["design"], "name": "Spare", "verify_tls": False}
        document["pipelines"]["standard"]["stages"][0]["name"] = "Acceptance"

    sent = ada.post("/estate/file/", {"text": estate(edit), "why": WHY})
    shown = words(ada.get(sent["Location"]))
    assert "3 changes" in shown
    assert "Node Automation QA Address: https://qa.example.com, was http://127.0.0.1:9/auto-qa" in shown
    assert "Adds Node Spare Kind: design node" in shown
    assert "Pipeline Standard Stage QA is called Acceptance" in shown
    assert Node.objects.get(slug="auto-qa").url == "http://127.0.0.1:9/auto-qa"
    basis = ada.get(sent["Location"]).context["basis"]
    Node.objects.filter(slug="deployer").update(name="The Deployer")  # somebody else was quicker
    again = ada.post(sent["Location"], {"basis": basis}, follow=True)
    assert "The estate changed while you looked" in words(again)
    assert Node.objects.filter(slug="spare").count() == 0
    done = ada.post(sent["Location"], {"basis": ada.get(sent["Location"]).context["basis"]})
    assert done["Location"] == "/estate/"
    assert Node.objects.get(slug="auto-qa").url == "https://qa.example.com"
    change = Change.objects.get()
    assert "Node Spare" in words(ada.get(f"/changes/{change.pk}/"))  # what it did is still told
    assert ada.get(sent["Location"])["Location"] == "/estate/file/"  # the draft is gone


def test_a_file_that_cannot_be_used_is_told_by_line(cast: Cast) -> None:
    ada = signed_in(cast.ada)
    answer = ada.post("/estate/file/", {"text": "nodes: {}\nkeys: {}\n", "why": WHY})
    assert answer.status_code == 400
    assert "Line 2" in words(answer)
    sent = ada.post("/estate/file/", {"text": "nodes: {}\npipelines: {}\n", "why": WHY})
    shown = ada.get(sent["Location"])
    assert "This cannot be applied" in words(shown)
    assert "Removes Pipeline Standard" in words(shown)
    ada.post(sent["Location"], {"basis": shown.context["basis"]})
    assert Pipeline.objects.count() == 1
    sent = ada.post("/estate/file/", {"text": written(current()), "why": WHY})
    assert "The estate is as the file states it" in words(ada.get(sent["Location"]))


def test_its_lists_cost_the_same_at_any_size(cast: Cast) -> None:
    ada, deployer = signed_in(cast.ada), Node.objects.get(slug="deployer")
    paths = ("/estate/", "/estate/nodes/")
    few = [queries_of(ada, path) for path in paths]
    Node.objects.bulk_create(
        Node(slug=f"n{n}", name="N", kind="design", url="https://a.example.com", key_name="k")
        for n in range(300)
    )
    made = Pipeline.objects.bulk_create(Pipeline(slug=f"p{n}", name="P") for n in range(300))
    stages = Stage.objects.bulk_create(Stage(pipeline=one, slug="a", name="A", position=0) for one in made)
    Place.objects.bulk_create(
        Place(stage=one, slug="a", deployer=deployer, infra_id="I", automation=deployer) for one in stages
    )
    assert [queries_of(ada, path) for path in paths] == few


def test_differences_in_words() -> None:
    place = {"place": "one", "deployer": "d", "infra_id": "I", "automation": "a"}
    node = {"name": "A", "kind": "automation", "url": "http://a", "key_name": "a", "verify_tls": True}

    def line(*stages: dict[str, Any], name: str = "Way") -> dict[str, Any]:
        return {
            "nodes": {"a": node},
            "pipelines": {"w": {"name": name, "team": None, "stages": list(stages)}},
        }

    qa, prod = ({"stage": slug, "name": slug.upper(), "places": [place]} for slug in ("qa", "prod"))
    for old, new, said in (
        (line(qa), line(qa), []),
        (line(qa, prod), line(prod, qa), ["order of the stages: PROD, QA"]),
        (line(qa, prod), line(prod), ["stage QA goes"]),
        (
            line(qa),
            line(qa, prod),
            [
                "stage PROD is new",
                "stage PROD: place one, infrastructure I of Deployer d, Automation node a",
            ],
        ),
        (
            line(qa),
            line({**qa, "places": [{**place, "infra_id": "J"}]}),
            ["stage QA, place one: infrastructure: J, was I"],
        ),
        (
            line(qa),
            line({**qa, "places": [{**place, "place": "two"}]}),
            [
                "stage QA: place one goes",
                "stage QA: new is place two, infrastructure I of Deployer d, Automation node a",
            ],
        ),
        (line(qa), line(qa, name="Road"), ["name: Road, was Way"]),
    ):
        assert [how for one in told(old, new) for how in one.how] == said
    assert [(one.verb, one.what) for one in told(line(qa), {"nodes": {}, "pipelines": {}})] == [
        ("removes", "node A"),
        ("removes", "pipeline Way"),
    ]


# --- who is in a team -------------------------------------------------------------------------------------------------


def test_members_are_shown_added_and_taken_out(cast: Cast, settings: Any) -> None:
    ada, path = signed_in(cast.ada), f"/teams/{cast.team.slug}/members/"
    assert "Dev Rao dev given by hand" in words(ada.get(path))
    assert ada.post(path, {"login": "otto", "why": WHY})["Location"] == path
    assert Membership.objects.filter(person=cast.otto, team=cast.team).exists()
    assert "ends at once" in words(ada.get(f"{path}otto/end/"))
    assert ada.post(f"{path}otto/end/", {"why": WHY})["Location"] == path
    assert not Membership.objects.filter(person=cast.otto).exists()
    settings.SECOND_ADMIN = True
    assert "waits then until a second administrator" in words(ada.get(path))
    change = Change.objects.order_by("-pk")[0]
    assert ada.post(path, {"login": "otto", "why": WHY})["Location"] == f"/changes/{change.pk + 1}/"
    shown = words(signed_in(cast.abe).get(f"/changes/{change.pk + 1}/"))
    assert "Joins Otto Weiss: with every right of the team team Churn team" in shown
    changes.apply(by=cast.abe, change=Change.objects.get(pk=change.pk + 1))
    assert Membership.objects.filter(person=cast.otto, team=cast.team).exists()


def test_members_are_for_the_team_and_who_looks_over_the_estate(cast: Cast) -> None:
    path = f"/teams/{cast.team.slug}/members/"
    for person in (cast.dev, cast.nora):
        shown = words(signed_in(person).get(path))
        assert "Dev Rao" in shown
        assert "Let somebody join" not in shown
        refused(signed_in(person).post(path, {"login": "otto", "why": WHY}), 403, "right to manage")
        refused(signed_in(person).get(f"{path}dev/end/"), 403, "right to manage")
    for one in (path, f"{path}dev/end/"):
        outsider_sees_nothing(signed_in(cast.otto), one)
    assert signed_in(cast.ada).get(f"{path}otto/end/").status_code == 404


def test_members_cost_the_same_at_any_size(cast: Cast) -> None:
    ada, path = signed_in(cast.ada), f"/teams/{cast.team.slug}/members/"
    few = queries_of(ada, path)
    made = [Person(login=f"m{n}", name="M") for n in range(200)]
    Person.objects.bulk_create(made)
    Membership.objects.bulk_create(Membership(person=one, team=cast.team) for one in made)
    cast.team.group.user_set.add(*made)
    assert queries_of(ada, path) == few


# --- the rules of a project -------------------------------------------------------------------------------------------


def test_the_rules_are_shown_and_others_proposed(cast: Cast) -> None:
    path = "/projects/CHURN/tier/"
    shown = words(signed_in(cast.dev).get(path))
    assert "Policy demo-policy , tier critical" in shown
    assert "Fairness signed by one person" in shown
    assert "Propose it" not in shown
    assert "Two administrators change this" in shown
    ada = signed_in(cast.ada)
    assert "Propose it" in words(ada.get(path))
    answer = ada.post(path, {"rules": "demo-policy/light", "why": WHY})
    change = Change.objects.get()
    assert (answer["Location"], change.status) == (f"/changes/{change.pk}/", Change.Status.WAITING)
    assert "from tier critical of demo-policy to tier light" in words(ada.get(answer["Location"]))
    changes.apply(by=cast.abe, change=change)
    assert "from tier critical of demo-policy to tier light" in words(ada.get(answer["Location"]))
    assert ada.post(path, {"rules": "demo-policy/light", "why": WHY}).status_code == 400  # it is so now


def test_the_rules_are_never_the_owner_s_to_change(cast: Cast) -> None:
    path = "/projects/CHURN/tier/"
    edits.give_right(by=cast.ada, person=cast.olga, right=Right.MANAGE, why=WHY)
    assert "You own Customer churn" in words(signed_in(cast.olga).get(path))
    refused(
        signed_in(cast.olga).post(path, {"rules": "demo-policy/light", "why": WHY}),
        403,
        "You own Customer churn",
    )
    refused(
        signed_in(cast.dev).post(path, {"rules": "demo-policy/light", "why": WHY}), 403, "right to manage"
    )
    outsider_sees_nothing(signed_in(cast.otto), path)
    assert not Change.objects.filter(kind=Change.Kind.TIER).exists()


@pytest.mark.parametrize("tier", ["none", "light"])
def test_rules_that_are_not_published_are_told(cast: Cast, tier: str) -> None:
    cast.churn.tier = tier
    cast.churn.policy = "gone" if tier == "light" else cast.churn.policy
    cast.churn.save()
    assert "Nothing is asked here." in words(signed_in(cast.dev).get("/projects/CHURN/tier/"))
