"""The shape of what people type into the portal's pages. Whether it may be done is the actions' to say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import rights
from portal.actions.leaving import Duty
from portal.actions.owners import Choice, Found
from portal.event_kinds import EventKind
from portal.models import Counterpart, Person, Project, Right, Stage, Team
from portal.models.grant import CARRIED, IN_USE
from portal.models.person import spelled
from portal.projecting import sign_roles

Choices = list[tuple[Any, Any]]
TOKEN_DAYS = 366


class SignInForm(AuthenticationForm):
    """Login and password; what is wrong is said without telling which of the two."""

    error_messages = {  # noqa: RUF012
        "invalid_login": _(
            "This login and password do not go together. Check both; passwords are case-sensitive."
        ),
        "inactive": _("This account is disabled. Ask an administrator."),
        "service": _("A service account does not sign in; it uses the API with a token."),
    }

    def confirm_login_allowed(self, user: Person) -> None:
        """People only: a service account has no password, and would not get in with one either."""
        super().confirm_login_allowed(user)
        if user.kind != Person.Kind.PERSON:
            raise forms.ValidationError(self.error_messages["service"], code="service")


class WhyForm(forms.Form):
    """A reason, where an auditor would want one."""

    why = forms.CharField(label=_("Why"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class GrantForm(forms.Form):
    """A right for a person or a team; `holder` is `person:<uuid>` or `team:<slug>`."""

    holder = forms.ChoiceField(label=_("Who"), help_text=_("A person, or a team with all its members."))
    right = forms.ChoiceField(label=_("May"), choices=())
    role = forms.ChoiceField(
        label=_("As"), required=False, help_text=_("Only for the right to sign: in which role.")
    )
    stage = forms.ChoiceField(label=_("Where"), required=False)
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text=_("In your time zone; empty: until revoked."),
    )
    why = forms.CharField(
        label=_("Why"), max_length=500, help_text=_("Whoever reviews rights later reads this.")
    )

    def __init__(self, *args: Any, project: Project | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = Person.objects.filter(is_active=True).exclude(kind=Person.Kind.SYSTEM)
        stages = Stage.objects.order_by("position", "slug")
        if project is not None:
            stages = stages.filter(pipeline=project.pipeline_id)
        names = dict(stages.values_list("slug", "name"))
        self._choose(
            "holder",
            [
                ("", _("Choose…")),
                (
                    _("Teams"),
                    [(f"team:{slug}", name) for slug, name in Team.objects.values_list("slug", "name")],
                ),
                (_("People"), [(f"person:{pk}", name) for pk, name in people.values_list("pk", "name")]),
            ],
        )
        self._choose(
            "right", [("", _("Choose…")), *((right.value, right.label) for right in Right if right in IN_USE)]
        )
        self._choose("role", [("", "–"), *((role, role.replace("-", " ")) for role in sign_roles())])
        self._choose("stage", [("", _("Every stage")), *names.items()])

    def _choose(self, name: str, choices: Choices) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def person(self) -> Person | None:
        """The person chosen, or None where it is a team."""
        kind, _colon, which = self.cleaned_data["holder"].partition(":")
        return Person.objects.get(pk=which) if kind == "person" else None

    @property
    def team(self) -> Team | None:
        """The team chosen, or None where it is a person."""
        kind, _colon, which = self.cleaned_data["holder"].partition(":")
        return Team.objects.get(slug=which) if kind == "team" else None

    def clean_until(self) -> datetime | None:
        """An aware time, in the reader's zone."""
        until: datetime | None = self.cleaned_data["until"]
        return timezone.make_aware(until) if until is not None and timezone.is_naive(until) else until


class TokenForm(forms.Form):
    """A name, a life and a scope for an API token. `projects` becomes a list of projects, or None for all."""

    name = forms.CharField(label=_("What it is for"), max_length=100)
    days = forms.IntegerField(label=_("Days it lasts"), initial=90, min_value=1, max_value=TOKEN_DAYS)
    projects = forms.CharField(
        label=_("Projects"),
        required=False,
        max_length=2_000,
        help_text=_("Their keys, separated by commas; empty: all that the account may see."),
    )
    rights = forms.MultipleChoiceField(
        label=_("May, besides seeing"),
        required=False,
        choices=lambda: [(right.value, right.label) for right in Right if right.value in CARRIED],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("As far as the account itself may. A token never signs, and makes no tokens."),
    )

    def __init__(self, *args: Any, by: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by = by

    def clean_projects(self) -> list[Project] | None:
        """The projects of these keys, as far as whoever makes the token sees them."""
        keys = {key.strip() for key in self.cleaned_data["projects"].split(",") if key.strip()}
        if not keys:
            return None
        found = {one.key: one for one in rights.visible_projects(self._by).filter(key__in=keys)}
        unknown = sorted(keys - set(found))
        if unknown:
            raise forms.ValidationError(
                _("There is no project “%(key)s” that you see."), params={"key": unknown[0]}
            )
        return list(found.values())


KINDS: Choices = [
    (Person.Kind.PERSON.value, _("a person")),
    (Person.Kind.SERVICE.value, _("a service account")),
]


class PersonForm(forms.Form):
    """An account to be added."""

    kind = forms.ChoiceField(
        label=_("Add"),
        choices=KINDS,
        initial=Person.Kind.PERSON,
        help_text=_(
            "A service account is a program: it uses the API with tokens, and never signs in or signs."
        ),
    )
    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("As it is printed beside signatures.")
    )
    login = forms.CharField(label=_("Login"), max_length=150)
    email = forms.EmailField(label=_("E-mail"), required=False)
    zone = forms.CharField(
        label=_("Time zone"), max_length=64, initial="UTC", help_text=_("Such as Europe/Paris.")
    )
    password = forms.CharField(
        label=_("First password"),
        required=False,
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Empty for a service account, and for whoever signs in another way."),
    )


class PersonChangeForm(forms.Form):
    """How somebody is called and reached."""

    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("What was signed before keeps the name of then.")
    )
    email = forms.EmailField(label=_("E-mail"), required=False)
    zone = forms.CharField(label=_("Time zone"), max_length=64, help_text=_("Such as Europe/Paris."))


class LoginField(forms.CharField):
    """The login of somebody who is here, picked from the page's list of people; becomes a person or None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=150, widget=forms.TextInput(attrs={"list": "people", "autocomplete": "off"}), **kwargs
        )

    def clean(self, value: Any) -> Person | None:
        """Raise ValidationError for a login that nobody here has."""
        login = super().clean(value)
        if not login:
            return None
        person = Person.objects.filter(login=spelled(login)).exclude(kind=Person.Kind.SYSTEM).first()
        if person is None:
            raise forms.ValidationError(_("Nobody here has the login “%(login)s”."), params={"login": login})
        return person


class LeaveForm(forms.Form):
    """Why somebody leaves, and who takes over: one for everything, or one for a thing."""

    why = forms.CharField(label=_("Why"), max_length=500)
    heir = LoginField(
        label=_("Who takes everything over"),
        required=False,
        help_text=_("A login. It holds for everything below that names nobody."),
    )

    def __init__(self, *args: Any, duties: Sequence[Duty], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Named by what they are about, not by their place: the list may be another one when the form comes back.
        self._keys = {f"heir_{duty.key.replace(':', '_')}": duty.key for duty in duties}
        for name, duty in zip(self._keys, duties, strict=True):
            self.fields[name] = LoginField(
                label=duty.what[:1].upper() + duty.what[1:],
                required=False,
                help_text=_("Without anybody: %(then)s.") % {"then": duty.without}
                if duty.without
                else _("Somebody has to take it over."),
            )

    @property
    def heirs(self) -> dict[str, Person]:
        """Who takes over single things, by key."""
        return {key: one for name, key in self._keys.items() if (one := self.cleaned_data[name]) is not None}


class EnableForm(forms.Form):
    """Why somebody comes back, and a first password."""

    why = forms.CharField(label=_("Why"), max_length=500)
    password = forms.CharField(
        label=_("First password"),
        required=False,
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Empty for a service account, and for whoever signs in another way."),
    )


class OwnerForm(forms.Form):
    """Who becomes an owner, and why."""

    owner = LoginField(label=_("Who becomes an owner"), help_text=_("Their login."))
    why = forms.CharField(label=_("Why"), max_length=500)


class HandOverForm(forms.Form):
    """Who owns a project from now on, and why."""

    heir = LoginField(
        label=_("Who owns it from now on"),
        required=False,
        help_text=_("A login. Empty: the other owners keep it."),
    )
    why = forms.CharField(label=_("Why"), max_length=500)


class FromDssForm(forms.Form):
    """Who the users and groups of a DSS project are here. Each has up to three fields, named by its place.

    The places are those of `shown`, a hidden list of keys, so that what was shown is what is confirmed.
    """

    shown = forms.JSONField(widget=forms.HiddenInput)
    why = forms.CharField(label=_("Why"), max_length=500)

    def __init__(self, *args: Any, found: Sequence[Found], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found = found
        self.fields["shown"].initial = [one.key for one in found]
        teams = [("", _("no team here")), *Team.objects.values_list("slug", "name")]
        for place, one in enumerate(found):
            if one.kind == Counterpart.Kind.USER:
                self.fields[f"who_{place}"] = LoginField(
                    label=_("Here"), required=False, initial=one.person.login if one.person else ""
                )
                self.fields[f"owner_{place}"] = forms.BooleanField(
                    label=_("owns it"), required=False, initial=one.owns and one.person is not None
                )
            else:
                self.fields[f"who_{place}"] = forms.ChoiceField(
                    label=_("Here"), required=False, choices=teams, initial=one.team.slug if one.team else ""
                )
            self.fields[f"grant_{place}"] = forms.BooleanField(
                label=_("may see it and ask for promotions"),
                required=False,
                initial=one.works and (one.person or one.team) is not None,
            )

    def rows(self) -> list[dict[str, Any]]:
        """Each user or group with its fields, as the page shows them."""
        return [
            {
                "found": one,
                "who": self[f"who_{place}"],
                "owner": self[f"owner_{place}"] if one.kind == Counterpart.Kind.USER else None,
                "grant": self[f"grant_{place}"],
            }
            for place, one in enumerate(self.found)
        ]

    def clean_shown(self) -> list[str]:
        """Raise ValidationError where DSS says something else now than what was shown."""
        shown: list[str] = self.cleaned_data["shown"]
        if shown != [one.key for one in self.found]:
            raise forms.ValidationError(
                _("DSS names other users or groups now than when you opened the page. Look again.")
            )
        return shown

    @property
    def choices(self) -> list[Choice]:
        """What was chosen for each."""
        said = self.cleaned_data
        teams = {team.slug: team for team in Team.objects.all()}
        return [
            Choice(
                kind=one.kind,
                name=one.name,
                person=said[f"who_{place}"] if one.kind == Counterpart.Kind.USER else None,
                team=teams.get(said[f"who_{place}"]) if one.kind == Counterpart.Kind.GROUP else None,
                owner=said.get(f"owner_{place}", False),
                grant=said[f"grant_{place}"],
            )
            for place, one in enumerate(self.found)
        ]


class PeopleForm(forms.Form):
    """Which people to show."""

    q = forms.CharField(label=_("Name, login or e-mail"), required=False, max_length=200)
    kind = forms.ChoiceField(label=_("What"), required=False, choices=[("", _("Everybody")), *KINDS])
    state = forms.ChoiceField(
        label=_("Account"),
        required=False,
        choices=[("", _("Any")), ("enabled", _("enabled")), ("disabled", _("disabled"))],
    )


class AwayForm(forms.Form):
    """When somebody is away, and who stands in. `delegate` becomes a person."""

    delegate = forms.ModelChoiceField(
        label=_("Who stands in"), queryset=Person.objects.none(), empty_label=_("Choose…")
    )
    starts_at = forms.DateTimeField(
        label=_("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text=_("In your time zone; empty: from now on."),
    )
    until = forms.DateTimeField(
        label=_("Until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text=_("At most 90 days later. It can be ended early."),
    )
    why = forms.CharField(label=_("Why"), max_length=500, help_text=_("Such as leave, or illness."))

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["delegate"]
        assert isinstance(field, forms.ModelChoiceField)
        able = Person.objects.filter(is_active=True, kind=Person.Kind.PERSON)
        field.queryset = able.exclude(pk=person.pk).order_by("name")


def _kinds() -> Choices:
    return sorted(EventKind.choices, key=lambda held: str(held[1]))


class LedgerForm(forms.Form):
    """What to show of the ledger."""

    project = forms.ChoiceField(label=_("Project"), required=False)
    kind = forms.ChoiceField(
        label=_("What happened"), required=False, choices=lambda: [("", _("Everything")), *_kinds()]
    )
    subject = forms.CharField(
        label=_("About"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"placeholder": "request:7"}),
    )

    def __init__(self, *args: Any, projects: Choices, estate: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["project"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All") if estate else _("All I may audit")), *projects]
