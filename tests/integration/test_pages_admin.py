"""The Django admin: superusers look, nobody changes anything, and nothing secret is on show."""

from importlib import import_module

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory

from portal.demo.cast import PASSWORD
from portal.models import Event, Grant, Person
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


@pytest.fixture(autouse=True)
def _pages_are_loaded() -> None:
    """What the admin shows is known once the portal's addresses are."""
    import_module(settings.ROOT_URLCONF)
    assert admin.site._registry


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


def test_whoever_signs_out_there_is_written_down(superuser: Person) -> None:
    assert signed_in(superuser).post("/admin/logout/").headers["Location"] == "/login/"
    assert Event.objects.latest("seq").kind == "person.signed_out"


def test_a_superuser_is_permitted_nothing_where_others_ask_django(superuser: Person) -> None:
    for asked in ("portal.change_grant", "account.add_emailaddress", "socialaccount.add_socialapp"):
        assert not superuser.has_perm(asked)
        assert not superuser.has_perms([asked])
    assert not superuser.has_module_perms("socialaccount")
    client = signed_in(superuser)
    for path in ("account/emailaddress/add/", "socialaccount/socialapp/add/", "socialaccount/socialapp/"):
        assert client.get(f"/admin/{path}").status_code == 404
        assert client.post(f"/admin/{path}", {"email": "x@example.com"}).status_code == 404


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


def test_the_admin_has_no_door_of_its_own(cast: Cast) -> None:
    answer = Client().get("/admin/login/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/admin/login/")
    assert signed_in(cast.dev).get("/admin/login/").status_code == 404


def test_no_password_is_changed_in_the_admin(cast: Cast) -> None:
    cast.ada.is_superuser = True
    cast.ada.save()
    client = Client()
    client.force_login(cast.ada)
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/password_change/").status_code == 404
    assert client.get("/admin/password_change/done/").status_code == 404
    assert "password_change" not in client.get("/admin/").content.decode()


def test_signing_in_for_the_admin_is_written_down(superuser: Person) -> None:
    client = Client()
    door = client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    assert door.status_code == 403  # the sign-in page: nobody gets in by this address
    assert PASSWORD not in door.content.decode()
    assert "_auth_user_id" not in client.session
    answer = client.post(
        "/login/", {"username": "ada", "password": PASSWORD, "next": "/admin/login/"}, follow=True
    )
    assert answer.redirect_chain == [("/admin/login/", 302), ("/admin/", 302)]
    assert Event.objects.get(kind="person.signed_in").actor == superuser.pk
