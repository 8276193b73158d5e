"""The Django admin: superusers look, nobody changes anything, and nothing secret is on show."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import RequestFactory

from portal.models import Grant, Person
from tests.cast import Cast
from tests.pages import signed_in, words

PROTECTED = {
    "bundle",
    "checkpoint",
    "content",
    "disclosure",
    "event",
    "grant",
    "lane",
    "lanegroupobjectpermission",
    "laneuserobjectpermission",
    "person",
    "project",
    "team",
    "token",
    "policyversion",
    "signoff",
    "withdrawal",
    "evidence",
    "document",
    "report",
    "deploymentrequest",
    "promotion",
    "deployment",
}


@pytest.fixture
def superuser(cast: Cast) -> Person:
    """Ada, who may also look into the admin."""
    Person.objects.filter(pk=cast.ada.pk).update(is_superuser=True)
    return Person.objects.get(pk=cast.ada.pk)


def test_all_that_is_protected_is_there_and_groups_are_not(db: None) -> None:
    shown = {model._meta.model_name for model in admin.site._registry}
    assert shown >= PROTECTED
    assert not admin.site.is_registered(Group)


def test_nobody_adds_changes_or_deletes(superuser: Person) -> None:
    request = RequestFactory().get("/")
    request.user = superuser
    for model, shown in [(model, admin.site.get_model_admin(model)) for model in admin.site._registry]:
        assert shown.has_view_permission(request), model
        assert not shown.has_add_permission(request), model
        assert not shown.has_change_permission(request), model
        assert not shown.has_delete_permission(request), model
        assert not shown.get_actions(request), model


def test_every_list_opens(superuser: Person) -> None:
    client = signed_in(superuser)
    for model in admin.site._registry:
        answer = client.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
        assert answer.status_code == 200, model


def test_a_posted_change_is_refused(superuser: Person, cast: Cast) -> None:
    grant = Grant.objects.get(person=cast.fay)
    client = signed_in(superuser)
    for verb in ("change/", "delete/"):
        assert (
            client.post(
                f"/admin/portal/grant/{grant.pk}/{verb}", {"right": "manage", "post": "yes"}
            ).status_code
            == 403
        )
    assert client.post("/admin/portal/person/add/", {"login": "x"}).status_code == 403
    grant.refresh_from_db()
    assert grant.right == "sign"


def test_no_hash_of_a_password_is_on_show(superuser: Person, cast: Cast) -> None:
    page = signed_in(superuser).get(f"/admin/portal/person/{cast.fay.pk}/change/")
    assert "Fay Okafor" in words(page)
    assert cast.fay.password not in page.content.decode()


def test_an_administrator_of_the_portal_is_no_superuser(cast: Cast) -> None:
    assert signed_in(cast.abe).get("/admin/portal/grant/").status_code == 302
