"""The shape of what people type into governance's pages. Whether it may be done is the actions' to say."""

from datetime import date
from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from governance import fairness_import
from governance.actions.documents import GENERATED, LIMIT
from governance.actions.materiality import WHY_LIMIT
from governance.actions.signoffs import CONDITION_LIMIT, Wish, end_of
from governance.actions.waivers import WHY_LIMIT as WAIVER_WHY_LIMIT
from governance.materiality import Materiality
from governance.model_card import SECTION_LIMIT, Card, Section, tidy
from governance.models import SignOff
from portal.forms import FileForm, Form
from portal.models import Portfolio
from portal.texts import plain

DECISIONS = (
    (SignOff.Decision.APPROVE.value, _("Approve")),
    (SignOff.Decision.APPROVE_WITH_CONDITIONS.value, _("Approve with conditions")),
    (SignOff.Decision.REQUEST_CHANGES.value, _("Ask for changes")),
    (SignOff.Decision.REJECT.value, _("Reject")),
)


class DocumentForm(Form):
    """A document written in Markdown; the kinds offered are those the policy asks for."""

    kind = forms.ChoiceField(label=_("Which document"), choices=())
    title = forms.CharField(label=_("Title"), max_length=200)
    text = forms.CharField(
        label=_("Text"),
        max_length=LIMIT,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_(
            "Markdown: lines that begin with # are headings, and the policy may ask for some by name."
        ),
    )

    def __init__(self, *args: Any, kinds: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = kinds


class EvidenceForm(Form):
    """Figures that were counted elsewhere, as a file or pasted, what they are of, and the stage."""

    kind = forms.ChoiceField(label=_("What they are of"), choices=())
    stage = forms.ChoiceField(label=_("Of which stage"), choices=())
    upload = forms.FileField(label=_("File"), required=False, help_text=_("JSON, at most 1 MiB."))
    text = forms.CharField(
        label=_("Or its text"),
        required=False,
        strip=False,
        max_length=fairness_import.LIMIT,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"}),
    )

    def __init__(
        self, *args: Any, stages: list[tuple[str, str]], kinds: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        # It stands on a page with other forms that have a stage and a text.
        super().__init__(*args, **{"auto_id": "bring_%s", **kwargs})
        for name, choices in (("stage", stages), ("kind", kinds)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def clean(self) -> dict[str, Any]:
        """One of the two, not both."""
        found = super().clean()
        if bool(found.get("upload")) == bool((found.get("text") or "").strip()):
            raise forms.ValidationError(_("Choose a file or paste its text, one of them."))
        return found

    @property
    def body(self) -> bytes:
        """What was sent, and a byte more than is taken where there is more."""
        sent = self.cleaned_data["upload"]
        return (
            bytes(sent.read(fairness_import.LIMIT + 1)) if sent else str(self.cleaned_data["text"]).encode()
        )


class UploadForm(Form):
    """A document sent as a file; without a title it has the file's name."""

    kind = forms.ChoiceField(label=_("Which document"), choices=())
    title = forms.CharField(label=_("Title"), max_length=200, required=False)
    file = forms.FileField(
        label=_("File"), max_length=200, help_text=_("PDF, Word (.docx), or text in UTF-8 such as Markdown.")
    )

    # A kind that DSS generates cannot be uploaded.
    def __init__(self, *args: Any, kinds: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(kind, label) for kind, label in kinds if kind not in GENERATED]


class ReportForm(Form):
    """A JUnit report of tests that ran elsewhere, and where."""

    stage = forms.ChoiceField(label=_("Tests of"), choices=())
    file = forms.FileField(label=_("JUnit report"), max_length=200, help_text=_("XML, at most 5 MiB."))

    def __init__(self, *args: Any, stages: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["stage"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = stages


class CardForm(Form):
    """The sections of a model card; one that is only suggested has to be confirmed, or changed."""

    def __init__(self, *args: Any, card: Card, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.card = card
        for section in card.sections:
            rows = min(14, max(3, section.text.count("\n") + len(section.text) // 90 + 2))
            self.fields[section.field.key] = forms.CharField(
                label=section.field.asks,
                required=False,
                strip=False,
                initial=section.text,
                max_length=SECTION_LIMIT,
                widget=forms.Textarea(attrs={"rows": rows}),
            )
            if not section.missing and not section.confirmed:
                self.fields[_confirm(section)] = forms.BooleanField(
                    label=_("This is right for this bundle"), required=False
                )

    @property
    def sections(self) -> list[tuple[Section, Any, Any]]:
        """Each section with its field, and the box that confirms it where it needs one."""
        return [
            (one, self[one.field.key], self[_confirm(one)] if _confirm(one) in self.fields else None)
            for one in self.card.sections
        ]

    @property
    def confirmed(self) -> dict[str, str]:
        """The texts to keep by section: written, changed or confirmed."""
        found = {}
        for section in self.card.sections:
            text = tidy(self.cleaned_data[section.field.key])
            as_it_was = _confirm(section) in self.fields and text == tidy(plain(section.text))
            if text and (not as_it_was or self.cleaned_data[_confirm(section)]):
                found[section.field.key] = text
        return found

    @property
    def left_out(self) -> list[str]:
        """The headings of the sections that have no text to keep."""
        kept = self.confirmed
        return [one.field.heading for one in self.card.sections if one.field.key not in kept]


def _confirm(section: Section) -> str:
    return f"confirm-{section.field.key}"


class PolicyForm(FileForm):
    """The text of a policy, written or sent as a file, and why. A file that is sent goes before the text."""

    field_order = ("text", "upload", "why")
    # Either of two fields will do, which a browser cannot know: it would not send a file without a text.
    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label = _("Text")
        self.fields["text"].required = "upload" not in self.files
        self.fields["text"].widget = forms.Textarea(attrs={"spellcheck": "false", "class": "mono tall"})
        self.fields["upload"].label = _("Or a file instead of it")
        self.fields["upload"].help_text = _("YAML.")
        self.fields["why"].help_text = _("Whoever applies it, and whoever looks back, reads this.")

    def clean(self) -> dict[str, Any]:
        """The file alone, where there is one."""
        if self.cleaned_data.get("upload"):
            self.cleaned_data["text"] = ""
        return super().clean()


class ProofForm(Form):
    """What binds a signature to somebody.

    `way` says what shows who signs: "password", "code" of an app, or empty where that was shown a moment ago.
    """

    password = forms.CharField(
        label=_("Your password, once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("It binds the signature to you."),
    )
    code = forms.CharField(
        label=_("A code of your authenticator app"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        help_text=_("It binds the signature to you."),
    )

    def __init__(self, *args: Any, way: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.way = way
        for name in {"password", "code"} - {way}:
            del self.fields[name]
        # Where it stands on the page, and so among what is wrong: last.
        self.order_fields([name for name in self.fields if name != way])


class TierForm(Form):
    """Which rules are to apply to a project, of those that are published, and why."""

    rules = forms.ChoiceField(label=_("Rules"), choices=())
    why = forms.CharField(
        label=_("Why"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Whoever applies it, and whoever looks back, reads this."),
    )

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["rules"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def chosen(self) -> dict[str, str]:
        """The policy and the tier chosen."""
        policy, _slash, tier = self.cleaned_data["rules"].partition("/")
        return {"policy": policy, "tier": tier}


class MaterialityForm(Form):
    """The two answers about a project, and what they rest on."""

    exposure = forms.ChoiceField(label=_("Exposure"), widget=forms.RadioSelect, choices=())
    purpose = forms.ChoiceField(label=_("Purpose"), widget=forms.RadioSelect, choices=())
    why = forms.CharField(
        label=_("What it rests on"),
        max_length=WHY_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Whoever sets the tier, and whoever looks back, reads this."),
    )

    def __init__(self, *args: Any, table: Materiality, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, question in (("exposure", table.exposure), ("purpose", table.purpose)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.label = question.text
            field.choices = list(question.answers.items())


class SignForm(ProofForm):
    """A decision on what was shown; `bound` is the digest of it, so that nothing else is signed."""

    decision = forms.ChoiceField(
        label=_("My decision"),
        widget=forms.RadioSelect,
        choices=DECISIONS,
    )
    comment = forms.CharField(
        label=_("Comment"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Needed when you ask for changes or reject: say what has to change."),
    )
    bound = forms.CharField(widget=forms.HiddenInput)

    # Three stand on the page, which works without scripts; the API takes more.
    ROWS = range(1, 4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in self.ROWS:
            self.fields[f"condition_{number}"] = forms.CharField(
                label=_("What has to be done"), required=False, max_length=CONDITION_LIMIT
            )
            self.fields[f"due_{number}"] = forms.DateField(
                label=_("By the end of"),
                required=False,
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            )
        conditions = [f"{name}_{number}" for number in self.ROWS for name in ("condition", "due")]
        self.order_fields(["decision", *conditions, "comment"])

    @property
    def rows(self) -> list[tuple[Any, Any]]:
        """The fields of each condition."""
        return [(self[f"condition_{number}"], self[f"due_{number}"]) for number in self.ROWS]

    def clean(self) -> dict[str, Any]:
        """Each condition has both, and stands only where the decision is under conditions."""
        cleaned = super().clean()
        wanted = cleaned.get("decision") == SignOff.Decision.APPROVE_WITH_CONDITIONS
        cleaned["conditions"] = []
        for number in self.ROWS if wanted else ():
            text, due = cleaned.get(f"condition_{number}"), cleaned.get(f"due_{number}")
            if text and due:
                cleaned["conditions"].append(Wish(text, end_of(due)))
            elif text:
                self.add_error(f"due_{number}", _("Say by which day."))
            elif due:
                self.add_error(f"condition_{number}", _("Say what has to be done."))
        if wanted and not cleaned["conditions"] and not self.errors:
            self.add_error("condition_1", _("Say what has to be done, and by which day."))
        return cleaned


class FulfilForm(ProofForm):
    """What shows that a condition is met; whoever stated it says so."""

    how = forms.CharField(label=_("What shows it"), max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class AnswersForm(ProofForm):
    """Why rights are revoked, and who signs; the answers themselves stand beside each right."""

    why = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=460,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Needed when you revoke: whoever held it reads this."),
    )


class StartReviewForm(Form):
    """What an access review is to ask about, until when, why. Without portfolio and project: the whole estate."""

    portfolio = forms.ChoiceField(label=_("About"), required=False, choices=())
    project = forms.CharField(
        label=_("Or one project, by its key"),
        required=False,
        max_length=100,
        help_text=_("A portfolio includes the rights on each of its projects."),
    )
    due = forms.DateTimeField(
        label=_("Due"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("What nobody has confirmed by then is revoked."),
    )
    why = forms.CharField(label=_("Why"), max_length=460, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["portfolio"]
        assert isinstance(field, forms.ChoiceField)
        portfolios = Portfolio.objects.values_list("slug", "name")
        field.choices = [("", _("the whole estate")), *((slug, name) for slug, name in portfolios)]


class CallOffForm(Form):
    """Why an access review is called off."""

    why = forms.CharField(label=_("Why"), max_length=460, widget=forms.Textarea(attrs={"rows": 2}))


class WithdrawForm(Form):
    """Why a signature is taken back."""

    why = forms.CharField(label=_("Why"), max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class AskWaiverForm(Form):
    """Why what was found should pass all the same, and until the end of which day."""

    why = forms.CharField(
        label=_("Why it should go on all the same"),
        max_length=WAIVER_WHY_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Whoever can waive it decides by this, and it stands in every report."),
    )
    until = forms.DateField(
        label=_("Until the end of"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, last: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].widget.attrs["max"] = f"{last:%Y-%m-%d}"
        self.fields["until"].help_text = _("It counts no more from then on. At the latest %(last)s.") % {
            "last": date_format(last, "j F Y")
        }


class WaiveForm(ProofForm):
    """Whether somebody waives what they were shown; `bound` is the digest of it. A refusal needs no proof."""

    answer = forms.ChoiceField(
        label=_("My answer"),
        widget=forms.RadioSelect,
        choices=(("grant", _("Waive it")), ("refuse", _("Do not waive it"))),
    )
    comment = forms.CharField(
        label=_("Comment"),
        required=False,
        max_length=WAIVER_WHY_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Needed when you do not waive it: say why."),
    )
    bound = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound and self.data.get("answer") == "refuse":
            for name in {"password", "code"} & self.fields.keys():
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        """A no has its reason."""
        cleaned = super().clean()
        if cleaned.get("answer") == "refuse" and not cleaned.get("comment"):
            self.add_error("comment", _("Say why it is not waived."))
        return cleaned
