"""Pages for administrators: whose account at an identity provider is whose, and which group there means which team."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal import rights
from portal.actions import accounts, identities, mappings
from portal.forms import IdentityForm, MappingForm, WhyForm
from portal.models import Change, DirectoryGroup, GroupMapping, Identity, Right
from portal.pages import page_of, person_of, status_of, told_by


@require_http_methods(["GET", "POST"])
def groups(request: HttpRequest) -> HttpResponse:
    """Which groups elsewhere mean which teams here, those that mean nothing yet, and a form for more."""
    by = person_of(request)
    rights.check_estate(by, Right.MANAGE)
    form = MappingForm(request.POST or None, initial={"group": request.GET.get("group", "")})
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        with told_by(form):
            change = mappings.map_group(
                by=by, provider=asked["provider"], group=asked["group"], team=form.team, why=asked["why"]
            )
            messages.success(request, _said(change))
            return redirect("groups")
    known = GroupMapping.objects.select_related("team", "made_by")
    named = GroupMapping.objects.filter(provider="scim").values("group")
    return render(
        request,
        "portal/groups.html",
        {
            "page": page_of(request, known),
            "form": form,
            "unmapped": DirectoryGroup.objects.exclude(name__in=named).order_by("name")[:50],
        },
        status=status_of(form),
    )


def _said(change: Change) -> str:
    if change.status == Change.Status.APPLIED:
        return _("Done; it counts from the next sign-in of whoever is in the group.")
    return _("Proposed: it waits for a second administrator to apply it.")


@require_http_methods(["GET", "POST"])
def end_mapping(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what ending a mapping will do, ask why, and do it."""
    by = person_of(request)
    rights.check_estate(by, Right.MANAGE)
    mapping = GroupMapping.objects.select_related("team").filter(pk=pk).first()
    if mapping is None:
        raise rights.absent()
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            mappings.unmap_group(by=by, mapping=mapping, why=form.cleaned_data["why"])
            messages.success(request, _("The group means nothing any more; what came from it has ended."))
            return redirect("groups")
    return render(
        request, "portal/end_mapping.html", {"mapping": mapping, "form": form}, status=status_of(form)
    )


@require_http_methods(["GET", "POST"])
def link(request: HttpRequest, login: str) -> HttpResponse:
    """Link a person to their account at a provider."""
    by = person_of(request)
    person = accounts.person_at(by=by, login=login)
    form = IdentityForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            identities.link(by=by, person=person, **form.cleaned_data)
            messages.success(request, _("%(name)s is linked.") % {"name": person.name})
            return redirect("account-of", person.login)
    return render(request, "portal/link.html", {"person": person, "form": form}, status=status_of(form))


@require_POST
def unlink(request: HttpRequest, login: str, pk: int) -> HttpResponse:
    """End a link, with the memberships that came by it."""
    by = person_of(request)
    person = accounts.person_at(by=by, login=login)
    identity = Identity.objects.select_related("person").filter(pk=pk, person=person).first()
    if identity is None:
        raise rights.absent()
    identities.unlink(by=by, identity=identity)
    messages.success(request, _("%(name)s does not come in that way any more.") % {"name": person.name})
    return redirect("account-of", person.login)
