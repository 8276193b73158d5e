"""Model cards: a document in sections, kept like any other that is written in the portal."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from governance.actions import documents
from governance.model_card import KIND, compose
from governance.models import Document
from portal.models import Bundle, Person


def write(*, by: Person, bundle: Bundle, sections: Mapping[str, str]) -> Document:
    """Keep these texts, by section, as the bundle's model card; sections without one are named in it as missing.

    Raises Absent or Forbidden for the right to request, Invalid naming the section.
    """
    title = _("Model card of %(project)s, %(bundle)s") % {
        "project": bundle.project.name,
        "bundle": bundle.bundle_id,
    }
    title = title[: documents.TITLE_LIMIT]
    documents.check_may_write(by=by, bundle=bundle, kind=KIND)  # before what is in it is looked at
    return documents.write(by=by, bundle=bundle, kind=KIND, title=title, text=compose(title, sections))
