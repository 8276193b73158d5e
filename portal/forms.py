"""The shape of what people type into the portal's pages. Whether it may be done is the actions' to say."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.event_kinds import EventKind
from portal.models import Person, Portfolio, Project, Right, Stage, Team
from portal.models.grant import IN_USE
from portal.projecting import sign_roles

Choices = list[tuple[Any, Any]]


class SignInForm(AuthenticationForm):
    """Login and password; what is wrong is said without telling which of the two."""

    error_messages = {  # noqa: RUF012
        "invalid_login": _(
            "This login and password do not go together. Check both; passwords are case-sensitive."
        ),
        "inactive": _("This account is disabled. Ask an administrator."),
    }


class WhyForm(forms.Form):
    """A reason, where an auditor would want one."""

    why = forms.CharField(label=_("Why"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class UntilForm(forms.Form):
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


class TokenForm(forms.Form):
    """A name and a life for an API token."""

    name = forms.CharField(label=_("What it is for"), max_length=100)
    days = forms.IntegerField(label=_("Days it lasts"), initial=90, min_value=1, max_value=366)


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


class PortfolioForm(forms.Form):
    """A portfolio to be added; its short name is made of the name where it is left empty."""

    name = forms.CharField(label=_("Name"), max_length=150)
    slug = forms.SlugField(
        label=_("Short name"), required=False, max_length=50, help_text=_("In addresses and files.")
    )


class PutForm(forms.Form):
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


class AskForm(forms.Form):
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


class FileForm(forms.Form):
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
        return sent.read().decode("utf-8", "replace"), str(sent.name)
