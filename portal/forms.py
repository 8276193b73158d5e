"""The shape of what people type into the portal's pages. Whether it may be done is the actions' to say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import authentication, rights
from portal.actions.leaving import Duty
from portal.actions.owners import Choice, Found
from portal.errors import Refused
from portal.event_kinds import EventKind
from portal.models import Counterpart, Person, Portfolio, Project, Right, Stage, Team
from portal.models.grant import CARRIED, ESTATE_ONLY, IN_USE
from portal.models.person import spelled
from portal.places import Place
from portal.projecting import sign_roles
from portal.reauthentication import Code, Password, Proof
from portal.texts import plain

Choices = list[tuple[Any, Any]]
TOKEN_DAYS = 366


class Form(forms.Form):
    """A form of ours: what is typed loses what cannot be seen in it; a password stays as it is."""

    def clean(self) -> dict[str, Any]:
        """The texts as people will read them."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, value in cleaned.items():
            if isinstance(value, str) and not isinstance(self.fields[name].widget, forms.PasswordInput):
                cleaned[name] = plain(value)
        return cleaned


class SignInForm(AuthenticationForm):
    """Login and password; what is wrong is said without telling which of the two."""

    def clean(self) -> dict[str, Any]:
        """Find out who it is."""
        assert self.request is not None
        try:
            self.user_cache = authentication.by_password(
                self.cleaned_data.get("username", ""),
                self.cleaned_data.get("password", ""),
                address=authentication.address_of(self.request),
            )
        except Refused as refusal:
            raise ValidationError(refusal.sentence, code=refusal.code) from None
        return self.cleaned_data


def _new_password(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class _TwiceForm(Form):
    """A new password, typed twice."""

    def clean(self) -> dict[str, Any]:
        """Both have to be the same."""
        super().clean()
        new, again = self.cleaned_data.get("new"), self.cleaned_data.get("again")
        if new and again and new != again:
            self.add_error("again", _("This is not what you typed above. Type the new password twice."))
        return self.cleaned_data


class PasswordForm(_TwiceForm):
    """One's present password, and the new one."""

    current = forms.CharField(
        label=_("Your present password"),
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = _new_password(_("The new one"))
    again = _new_password(_("The new one, again"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new"].help_text = _("At least 12 characters, and none of the usual ones.")


class ResetForm(_TwiceForm):
    """A login, the code an administrator gave, and the new password."""

    login = forms.CharField(
        label=_("Login"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    code = forms.CharField(
        label=_("Code"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
        help_text=_("From an administrator; it works once."),
    )
    new = _new_password(_("Your new password"))
    again = _new_password(_("The same, again"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new"].help_text = _("At least 12 characters, and none of the usual ones.")


def _code() -> forms.CharField:
    return forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
    )


class CodeForm(Form):
    """A code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "spellcheck": "false", "autofocus": True}
        ),
        help_text=_("Six digits from your authenticator app, or one of your recovery codes."),
    )


class AppForm(Form):
    """The code that an authenticator app shows, and what to call it."""

    code = _code()
    name = forms.CharField(
        label=_("What to call it"), max_length=100, initial=_("Phone"), help_text=_("Such as Phone.")
    )


class PasskeyForm(Form):
    """What the browser answers when it is asked for a passkey."""

    answer = forms.CharField(widget=forms.HiddenInput, max_length=20_000)
    name = forms.CharField(label=_("What to call it"), max_length=100, initial=_("This device"))

    def __init__(self, *args: Any, named: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not named:
            del self.fields["name"]


class ProveForm(Form):
    """The password once more, or a code where the account has none; `way` says which, or empty for neither."""

    password = forms.CharField(
        label=_("Your password, once more"),
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("It binds the signature to you."),
    )
    code = _code()

    def __init__(self, *args: Any, way: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.way = way
        for name in ("password", "code"):
            if name != way:
                del self.fields[name]
        if way == "code":
            self.fields["code"].help_text = _("From your authenticator app.")
        elif way == "password":
            self.fields["password"].help_text = ""

    @property
    def proof(self) -> Proof:
        """What was typed, as a proof."""
        if self.way == "password":
            return Password(self.cleaned_data["password"])
        return Code(self.cleaned_data["code"])


class IdentityForm(Form):
    """An account at a provider."""

    provider = forms.ChoiceField(label=_("Provider"), choices=[("oidc", "OIDC"), ("saml", "SAML")])
    subject = forms.CharField(
        label=_("Subject"),
        max_length=255,
        help_text=_("What never changes there: “sub” of OIDC, the NameID of SAML."),
    )


class MappingForm(Form):
    """A group elsewhere, and the team that it means."""

    provider = forms.ChoiceField(
        label=_("By"), choices=[("oidc", "OIDC"), ("saml", "SAML"), ("scim", "SCIM")]
    )
    group = forms.CharField(
        label=_("Group"), max_length=255, strip=False, help_text=_("Its name there, letter by letter.")
    )
    team_slug = forms.ChoiceField(label=_("Team"), choices=())
    why = forms.CharField(label=_("Why"), max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team_slug"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("Choose…")), *Team.objects.values_list("slug", "name")]

    @property
    def team(self) -> Team:
        """The team chosen."""
        return Team.objects.get(slug=self.cleaned_data["team_slug"])


class WhyForm(Form):
    """A reason, where an auditor would want one."""

    why = forms.CharField(label=_("Why"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class UntilForm(Form):
    """An end, in the reader's zone, and a reason."""

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

    def clean_until(self) -> datetime | None:
        """An aware time, in the reader's zone."""
        until: datetime | None = self.cleaned_data["until"]
        return timezone.make_aware(until) if until is not None and timezone.is_naive(until) else until


class EditForm(UntilForm):
    """What goes with the boxes of the matrix: one end and one reason, and which grants its author saw."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    newest = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].help_text = _("Of what you give, in your time zone; empty: until revoked.")


class GrantForm(UntilForm):
    """A right for a person or a team; `holder` is `person:<uuid>` or `team:<slug>`."""

    holder = forms.ChoiceField(label=_("Who"), help_text=_("A person, or a team with all its members."))
    right = forms.ChoiceField(label=_("May"), choices=())
    role = forms.ChoiceField(
        label=_("As"), required=False, help_text=_("Only for the right to sign: in which role.")
    )
    stage = forms.ChoiceField(label=_("Where"), required=False)
    field_order = ("holder", "right", "role", "stage", "until", "why")

    def __init__(self, *args: Any, place: Place, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = Person.objects.filter(is_active=True).exclude(kind=Person.Kind.SYSTEM)
        stages = Stage.objects.order_by("position", "slug")
        if place.project is not None:
            stages = stages.filter(pipeline=place.project.pipeline_id)
        offered = IN_USE if place == Place() else IN_USE - ESTATE_ONLY
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
            "right",
            [("", _("Choose…")), *((right.value, right.label) for right in Right if right in offered)],
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


class TokenForm(Form):
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


class PersonForm(Form):
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


class PersonChangeForm(Form):
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


class LeaveForm(Form):
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


class OwnerForm(Form):
    """Who becomes an owner, and why."""

    owner = LoginField(label=_("Who becomes an owner"), help_text=_("Their login."))
    why = forms.CharField(label=_("Why"), max_length=500)


class HandOverForm(Form):
    """Who owns a project from now on, and why."""

    heir = LoginField(
        label=_("Who owns it from now on"),
        required=False,
        help_text=_("A login. Empty: the other owners keep it."),
    )
    why = forms.CharField(label=_("Why"), max_length=500)


class FromDssForm(Form):
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


class PeopleForm(Form):
    """Which people to show."""

    q = forms.CharField(label=_("Name, login or e-mail"), required=False, max_length=200)
    kind = forms.ChoiceField(label=_("What"), required=False, choices=[("", _("Everybody")), *KINDS])
    state = forms.ChoiceField(
        label=_("Account"),
        required=False,
        choices=[("", _("Any")), ("enabled", _("enabled")), ("disabled", _("disabled"))],
    )


class AwayForm(Form):
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


class LedgerForm(Form):
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


class PortfolioForm(Form):
    """A portfolio to be added; its short name is made of the name where it is left empty."""

    name = forms.CharField(label=_("Name"), max_length=150)
    slug = forms.SlugField(
        label=_("Short name"), required=False, max_length=50, help_text=_("In addresses and files.")
    )


class PutForm(Form):
    """A project to be put into a portfolio."""

    key = forms.ChoiceField(label=_("Project"))
    why = forms.CharField(
        label=_("Why"), max_length=500, help_text=_("Whoever reviews rights later reads this.")
    )

    def __init__(self, *args: Any, portfolio: Portfolio, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["key"]
        assert isinstance(field, forms.ChoiceField)
        others = Project.objects.exclude(portfolios=portfolio).order_by("name").values_list("key", "name")
        field.choices = [("", _("Choose…")), *others]

    @property
    def project(self) -> Project:
        """The project chosen."""
        return Project.objects.get(key=self.cleaned_data["key"])


class AskForm(Form):
    """Somebody and a stage, to see what they can do there."""

    person = forms.ChoiceField(label=_("Who"))
    stage = forms.ChoiceField(label=_("Where"))

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = Person.objects.exclude(kind=Person.Kind.SYSTEM).order_by("name").values_list("login", "name")
        stages = Stage.objects.filter(pipeline=project.pipeline_id).order_by("position")
        choices: list[tuple[str, Choices]] = [
            ("person", [("", _("Choose…")), *people]),
            ("stage", list(stages.values_list("slug", "name"))),
        ]
        for name, some in choices:
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = some


class MemberForm(Form):
    """Somebody who is to join a team, and why."""

    login = forms.ChoiceField(label=_("Who"))
    why = forms.CharField(
        label=_("Why"), max_length=500, help_text=_("Whoever reviews rights later reads this.")
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["login"]
        assert isinstance(field, forms.ChoiceField)
        others = Person.objects.filter(is_active=True).exclude(kind=Person.Kind.SYSTEM)
        others = others.exclude(groups=team.group_id).order_by("name")
        field.choices = [("", _("Choose…")), *others.values_list("login", "name")]

    @property
    def person(self) -> Person:
        """The person chosen."""
        return Person.objects.get(login=self.cleaned_data["login"])


class FileForm(Form):
    """A file of rights, chosen or pasted, and why."""

    upload = forms.FileField(label=_("File"), required=False, help_text=_("YAML or CSV."))
    text = forms.CharField(
        label=_("Or its text"), required=False, widget=forms.Textarea(attrs={"rows": 6}), strip=False
    )
    why = forms.CharField(
        label=_("Why"), max_length=500, help_text=_("For what is revoked; what is given says its own.")
    )

    def clean(self) -> dict[str, Any]:
        """One of the two, not both, not too large."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        sent = found.get("upload")
        if bool(sent) == bool((found.get("text") or "").strip()):
            raise forms.ValidationError(_("Choose a file or paste its text, one of them."))
        if sent and sent.size > 1024 * 1024:
            raise forms.ValidationError(_("The file is larger than 1 MiB. Split it by place."))
        return found

    @property
    def sent(self) -> tuple[str, str]:
        """The text and the file's name; bytes that are no UTF-8 come through marked, and are refused when read."""
        sent = self.cleaned_data["upload"]
        if not sent:
            return str(self.cleaned_data["text"]), ""
        return sent.read().decode("utf-8", "surrogateescape"), str(sent.name)


class EstateForm(FileForm):
    """A file of the estate, chosen or pasted, and why."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["upload"].help_text = _("YAML.")
        self.fields["why"].help_text = _("Whoever applies it, and whoever looks back, reads this.")
