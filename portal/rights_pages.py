"""Pages of rights: the matrix of a place or a team, its edit in two steps, each single right, files. No rules."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from portal import drafts, matrix, rights
from portal.actions import edits, grants
from portal.canonical import digest
from portal.change_pages import asked_for, then
from portal.effects import effects
from portal.errors import Forbidden, Invalid
from portal.forms import EditForm, GrantForm, WhyForm
from portal.granted import granted_at, in_force
from portal.holders import grantors
from portal.lookups import portfolio_for, project_for
from portal.models import Change, Grant, Person, Portfolio, Project, Right, Team
from portal.pages import counts, oversight, page_of, person_of, status_of, told_by
from portal.places import EVERYWHERE, Place
from portal.proposed import lines, refusal_of
from portal.queries import teams_for, waiting_changes

OVERSEEING = frozenset({Right.MANAGE.value, Right.AUDIT.value})


@dataclass(frozen=True, slots=True)
class About:
    """What a page of rights is about, and what its reader may do and see there.

    `may`: may propose edits; `estate`: looks over the estate. `prefix` begins the names of its addresses.
    """

    prefix: str
    arguments: tuple[str, ...]
    place: Place
    team: Team | None
    may: bool
    estate: bool

    @property
    def key(self) -> str:
        """Which page a draft belongs to."""
        return f"team:{self.team.slug}" if self.team is not None else self.place.key

    @property
    def name(self) -> str:
        return self.team.name if self.team is not None else self.place.name

    @property
    def own(self) -> Q:
        """The grants that are edited here."""
        return Q(team=self.team) if self.team is not None else self.place.own

    @property
    def shown(self) -> Q:
        """The grants that the reader may see here."""
        if self.team is not None:
            return self.own
        seen = self.place.own | self.place.inherited
        return seen | EVERYWHERE if self.estate else seen

    def url(self, page: str = "rights", *more: Any) -> str:
        """The address of one of its pages."""
        return reverse(f"{self.prefix}{page}", args=[*self.arguments, *more])

    @property
    def urls(self) -> dict[str, str]:
        names = ["rights", "rights-edit", "rights-each", "rights-file"]
        return {name.partition("-")[2] or "matrix": self.url(name) for name in names}


def about(
    request: HttpRequest, *, key: str | None = None, portfolio: str | None = None, team: str | None = None
) -> About:
    """What the address names, or a refusal: absent for whoever may not know of it."""
    person = person_of(request)
    held, _somewhere = oversight(request)
    estate, manages = bool(OVERSEEING & held), Right.MANAGE.value in held
    if team is not None:
        found = teams_for(person).filter(slug=team).first() if not estate else _team(team)
        if found is None:
            raise rights.absent()
        return About("team-", (team,), Place(), found, manages, estate)
    if portfolio is not None:
        one = _portfolio(portfolio) if estate else portfolio_for(person, portfolio)
        may = manages or grants.may_grant(person, None, one)
        return About("portfolio-", (portfolio,), Place(portfolio=one), None, may, estate)
    if key is not None:
        project = _project(key) if estate else project_for(person, key)
        may = manages or grants.may_grant(person, project)
        return About("", (key,), Place(project=project), None, may, estate)
    if not estate:
        rights.check_estate(person, Right.MANAGE)
    return About("estate-", (), Place(), None, manages, estate)


def _team(slug: str) -> Team | None:
    return Team.objects.select_related("group").filter(slug=slug).first()


def _portfolio(slug: str) -> Portfolio:
    found = Portfolio.objects.filter(slug=slug).first()
    if found is None:
        raise rights.absent()
    return found


def _project(key: str) -> Project:
    """For who looks over the estate and so sees every project: one query."""
    found = Project.objects.select_related("node", "pipeline").filter(key=key).first()
    if found is None:
        raise rights.absent()
    return found


# --- the matrix -------------------------------------------------------------------------------------------------------


@require_GET
def show(request: HttpRequest, **which: str) -> HttpResponse:
    """Who may do what, at which stage, through what."""
    here = about(request, **which)
    number, find = request.GET.get("page"), request.GET.get("find", "")[:100]
    members = bool(request.GET.get("members"))
    if here.team is not None:
        held = matrix.of_team(here.team, number=number)
    else:
        held = matrix.of_place(here.place, estate=here.estate, number=number, find=find, members=members)
    return render(
        request,
        "portal/rights.html",
        {
            "here": here,
            "matrix": held,
            "page": held.page,
            "find": find,
            "members": members,
            "waiting": _waiting(request, here),
            "grantors": "" if here.may else grantors(here.place.project, here.place.portfolio),
        },
    )


def _waiting(request: HttpRequest, here: About) -> int:
    """How many changes wait that are about this place; the navigation is told how many there are in all."""
    person = person_of(request)
    _held, somewhere = oversight(request)
    if not somewhere:
        return 0
    found = waiting_changes(person, estate=here.estate)
    others = sum(one.asked_by_id != person.pk for one in found)
    counts(request, changes=str(others) if others else "")
    place = here.place
    return sum(
        one.kind == Change.Kind.RIGHTS
        and one.project_id == (place.project and place.project.pk)
        and one.portfolio_id == (place.portfolio and place.portfolio.pk)
        for one in found
    )


# --- editing: form, preview, apply ------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, **which: str) -> HttpResponse:
    """The matrix with boxes. What is ticked is kept as a draft, and its preview is the next page."""
    here = _to_edit(request, which)
    sent = request.method == "POST"
    ticked = set(request.POST.getlist("cell")) if sent else None
    more = [one for one in request.POST.getlist("row") or request.GET.getlist("row") if one][:50]
    form = EditForm(request.POST if sent and "add" not in request.POST else None, initial=_typed(request))
    adding = request.POST.get("add_row", "") if "add" in request.POST else ""
    if adding and adding not in more:
        more.insert(0, adding)
    if sent and "add" not in request.POST and form.is_valid():
        with told_by(form):
            draft = _drafted(here, form, ticked or set())
            name = drafts.keep(request.session, draft)
            return redirect(here.url("rights-preview", name))
    number = request.POST.get("page") or request.GET.get("page")
    if here.team is not None:
        held = matrix.of_team(here.team, number=number, editing=True, more=_places(more), ticked=ticked)
    else:
        held = matrix.of_place(
            here.place, estate=here.estate, number=number, editing=True, more=more, ticked=ticked
        )
    seen = _numbers(request.POST.get("seen", "")) if sent else list(held.seen)
    newest = request.POST.get("newest", "") if sent else held.newest
    return render(
        request,
        "portal/rights_edit.html",
        {
            "here": here,
            "matrix": held,
            "page": held.page,
            "form": form,
            "more": more,
            "seen": ",".join(str(one) for one in seen),
            "newest": newest,
            "choices": _choices(here),
        },
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def preview(request: HttpRequest, draft: str, **which: str) -> HttpResponse:
    """What a draft would change and for whom, as things are now; sent again, it is done."""
    here = _to_edit(request, which)
    person = person_of(request)
    found = drafts.kept(request.session, draft, here.key)
    if found is None:
        messages.warning(
            request, _("This edit was applied already, or your session ended since. Look, and edit again.")
        )
        return redirect(here.url())
    refusal: str = ""
    told = None
    left = drafts.Settled([], [], [], 0)
    try:
        left = drafts.settled(found, here.own)
    except Invalid as wrong:  # a file that was usable when it was sent
        refusal = wrong.sentence
    if left.ops:
        try:
            told = effects(by=person, ops=left.ops)
        except Invalid as wrong:
            refusal = refusal_of(wrong, left.ops)
    basis = digest({"ops": list(left.ops), "basis": edits.RIGHTS.basis({"ops": left.ops})}) if told else ""
    if request.method == "POST" and told is not None:
        if request.POST.get("basis") == basis:
            home = edits.home(left.ops) if here.team is not None else here.place.address
            change = edits.edit(by=person, ops=left.ops, why=found.why, **home)
            drafts.drop(request.session, draft)
            return _proposed(request, here, change)
        messages.warning(
            request,
            _(
                "Rights changed here while you looked at this. Nothing was applied; this is what it would do now."
            ),
        )
        return redirect(request.path)
    return render(
        request,
        "portal/rights_preview.html",
        {
            "here": here,
            "draft": found,
            "left": left,
            "lines": lines(left.ops) if told else [],
            "effects": told,
            "differing": [one for one in told.people if one.gains or one.loses] if told else [],
            "same": [one for one in told.people if not (one.gains or one.loses)] if told else [],
            "refusal": refusal,
            "then": then(only_takes=edits.RIGHTS.only_takes({"ops": left.ops})) if told else "",
            "back": here.urls["file" if found.file else "edit"],
            "basis": basis,
        },
    )


def _to_edit(request: HttpRequest, which: dict[str, str]) -> About:
    """What is edited; refused for whoever may only look, before any name is told."""
    here = about(request, **which)
    if not here.may:
        if here.team is not None:
            rights.check_estate(person_of(request), Right.MANAGE)
        grants.check_grantor(person_of(request), here.place.project, here.place.portfolio)
    return here


def _typed(request: HttpRequest) -> dict[str, str]:
    """What was typed beside the boxes when somebody only added a row."""
    return {name: request.POST.get(name, "") for name in ("why", "until")} if "add" in request.POST else {}


def _drafted(here: About, form: EditForm, ticked: set[str]) -> drafts.Draft:
    for cell in ticked:
        row = cell.partition("|")[0]
        holder, _at, place = row.partition("@")
        if (here.team is not None and holder != here.key) or (here.team is None and place != here.key):
            raise Invalid(
                _("This form belongs to another page. Open the page of rights again."), code="cell_elsewhere"
            )
    return drafts.drafted(
        here.key,
        here.own,
        ticked=ticked,
        seen=_numbers(form.cleaned_data["seen"]),
        newest=form.cleaned_data["newest"],
        why=form.cleaned_data["why"],
        until=form.cleaned_data["until"],
    )


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one.isdecimal() and len(one) < 18]


def _places(keys: list[str]) -> list[Place]:
    """The places of these keys that there are."""
    projects = [key.partition(":")[2] for key in keys if key.startswith("project:")]
    portfolios = [key.partition(":")[2] for key in keys if key.startswith("portfolio:")]
    found = [
        Place(project=one) for one in Project.objects.select_related("pipeline").filter(key__in=projects)
    ]
    found += [Place(portfolio=one) for one in Portfolio.objects.filter(slug__in=portfolios)]
    return found + ([Place()] if "estate" in keys else [])


def _choices(here: About) -> list[tuple[str, list[tuple[str, str]]]]:
    """Rows to add: holders, or on a team's page places."""
    if here.team is not None:
        portfolios = Portfolio.objects.values_list("slug", "name")
        projects = Project.objects.order_by("name").values_list("key", "name")
        return [
            (_("Everywhere"), [("estate", _("the whole estate"))]),
            (_("Portfolios"), [(f"portfolio:{slug}", name) for slug, name in portfolios]),
            (_("Projects"), [(f"project:{key}", name) for key, name in projects]),
        ]
    people = Person.objects.filter(is_active=True).exclude(kind=Person.Kind.SYSTEM).values_list("pk", "name")
    return [
        (_("Teams"), [(f"team:{slug}", name) for slug, name in Team.objects.values_list("slug", "name")]),
        (_("People"), [(f"person:{pk}", name) for pk, name in people]),
    ]


def _proposed(request: HttpRequest, here: About, change: Change) -> HttpResponse:
    """Back to the rights where it was applied, to the change where it waits."""
    return asked_for(request, change, here.url())


# --- each right -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def each(request: HttpRequest, **which: str) -> HttpResponse:
    """Each right with its reason; granting one for whoever manages here."""
    here = about(request, **which)
    person = person_of(request)
    if request.method == "POST":
        _to_edit(request, which)  # the form names everybody here, so nobody else gets one
    offered = here.may and here.team is None
    form = GrantForm(request.POST or None, place=here.place) if offered else None
    if request.method == "POST" and form is not None and form.is_valid():
        asked = form.cleaned_data
        with told_by(form):
            change = edits.give_right(
                by=person,
                person=form.person,
                team=form.team,
                right=Right(asked["right"]),
                role=asked["role"],
                stage=asked["stage"],
                until=asked["until"],
                why=asked["why"],
                **here.place.address,
            )
            if change.status != Change.Status.APPLIED:
                return _proposed(request, here, change)
            messages.success(
                request, _("%(holder)s has this right now.") % {"holder": form.person or form.team}
            )
            return redirect(request.path)
    page = page_of(request, granted_at(here.shown))
    rows = [
        (grant, here.url("right-revoke", grant.pk) if here.may and _given_here(here, grant) else "")
        for grant in page
    ]
    return render(
        request,
        "portal/rights_each.html",
        {
            "here": here,
            "page": page,
            "rows": rows,
            "then": then(),
            "form": form,
            "waiting": _waiting(request, here),
            "grantors": grantors(here.place.project, here.place.portfolio),
        },
        status=status_of(form),
    )


@require_http_methods(["GET", "POST"])
def revoke(request: HttpRequest, pk: int, **which: str) -> HttpResponse:
    """Say what revoking a right will do, ask why, and do it."""
    here = about(request, **which)
    grant = in_force().filter(here.shown, pk=pk).first()
    if grant is None or not _given_here(here, grant):
        raise rights.absent()
    if not here.may:
        raise Forbidden(
            _("Only who manages rights here can revoke one. Ask %(names)s.")
            % {"names": grantors(here.place.project, here.place.portfolio)},
            code="right_missing",
        )
    form = WhyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with told_by(form):
            edits.take_right(by=person_of(request), grant=grant, why=form.cleaned_data["why"])
            messages.success(request, _("The right is revoked; it ended at once."))
            return redirect(here.url("rights-each"))
    return render(
        request, "portal/revoke.html", {"grant": grant, "here": here, "form": form}, status=status_of(form)
    )


def _given_here(here: About, grant: Grant) -> bool:
    """Whether a grant is one of the page's own: what is handed down is revoked where it was given."""
    if here.team is not None:
        return grant.team_id == here.team.pk
    return Place(grant.project, grant.portfolio).key == here.place.key
