"""The shape of what people type into the pages of deployments. Whether it may be done is the actions' to say."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from governance.ticket import TICKET_LIMIT
from portal.forms import Form
from portal.models import Bundle, Lane


class BundleForm(Form):
    """A bundle to export from the project as it is now, or one to pick that was exported already."""

    how = forms.ChoiceField(
        label=_("How"),
        widget=forms.RadioSelect,
        initial="export",
        choices=[
            ("export", _("Export the project as it is now")),
            ("pick", _("Pick a bundle that was exported on the design node")),
        ],
    )
    bundle_id = forms.CharField(
        label=_("Bundle id"), max_length=100, help_text=_("Such as v4. It never changes afterwards.")
    )
    notes = forms.CharField(
        label=_("What is new"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 2})
    )


def ticket_field() -> forms.CharField:
    """The number of a change ticket, or nothing."""
    return forms.CharField(
        label=_("Change ticket"),
        max_length=TICKET_LIMIT,
        required=False,
        help_text=_("Its number in your change system, such as CHG0042, where the policy asks for one."),
    )


class AskForm(Form):
    """A wish: this bundle to this stage, and why."""

    bundle = forms.ModelChoiceField(
        label=_("Bundle"), queryset=Bundle.objects.none(), to_field_name="bundle_id", empty_label=None
    )
    stage = forms.ChoiceField(label=_("To"), choices=())
    why = forms.CharField(
        label=_("Why"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Reviewers and auditors read this."),
    )
    ticket = ticket_field()

    def __init__(self, *args: Any, bundles: Any, lanes: list[Lane], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen, stage = self.fields["bundle"], self.fields["stage"]
        assert isinstance(chosen, forms.ModelChoiceField)
        assert isinstance(stage, forms.ChoiceField)
        chosen.queryset = bundles
        stage.choices = [(lane.stage.slug, lane.stage.name) for lane in lanes]
        self.lanes = {lane.stage.slug: lane for lane in lanes}


class CommentForm(Form):
    """Something to say in the conversation of a request."""

    text = forms.CharField(
        label=_("Say something"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Everybody who may see this project reads it; @login tells somebody. It stays in the record."
        ),
    )


class TicketForm(Form):
    """The change ticket of a request that is open."""

    ticket = ticket_field()


class ReasonForm(Form):
    """A reason that stands in the record."""

    why = forms.CharField(label=_("Why"), max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class StopForm(ReasonForm):
    """Stopping a promotion; once something live changed, whether to go back or to keep what runs."""

    then = forms.ChoiceField(
        label=_("Then"),
        widget=forms.RadioSelect,
        initial="back",
        choices=[
            ("back", _("Go back to what ran before")),
            ("keep", _("Keep what runs now, and hold the stage for people")),
        ],
    )

    def __init__(self, *args: Any, live: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not live:
            del self.fields["then"]
