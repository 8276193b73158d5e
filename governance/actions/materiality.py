"""Answers how much hangs on a project: its owners do, version by version. The tier it leads to is set by two others."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from governance.models import MaterialityAnswer
from governance.standing import check_asked
from portal import ledger
from portal.actions.projects import check_owner
from portal.errors import Invalid, Stale
from portal.event_kinds import EventKind
from portal.models import Person, Project

WHY_LIMIT = 2000


def answer(*, by: Person, project: Project, exposure: str, purpose: str, why: str) -> MaterialityAnswer:
    """Keep what an owner or an administrator answers. The tier in force stays as it is.

    Raises Forbidden for everybody else, Refused where the policy does not ask, Invalid naming the field, also where
    the same is answered again with the same reason.
    """
    check_owner(by, project)
    version, table = check_asked(project)
    for field, given, known in (
        ("exposure", exposure, table.exposure.answers),
        ("purpose", purpose, table.purpose.answers),
    ):
        if given not in known:
            raise Invalid(
                _("“%(given)s” is no answer here; choose one of: %(known)s.")
                % {"given": given[:50], "known": ", ".join(known)},
                code="answer_unknown",
                field=field,
            )
    why = why.strip()
    if not why or len(why) > WHY_LIMIT:
        raise Invalid(
            _("Say in at most %(limit)s characters what the answers rest on; auditors read it.")
            % {"limit": WHY_LIMIT},
            code="why_missing" if not why else "why_long",
            field="why",
        )
    leads_to = table.leads_to(exposure, purpose)
    assert leads_to is not None  # the table has no holes
    with ledger.business():
        last = MaterialityAnswer.objects.filter(project=project).first()
        if last and (last.exposure, last.purpose, last.why) == (exposure, purpose, why):
            raise Invalid(
                _("This was answered last time already, with the same reason."),
                code="answer_same",
                field="exposure",
            )
        try:
            with transaction.atomic():
                made = MaterialityAnswer.objects.create(
                    project=project,
                    version=last.version + 1 if last else 1,
                    exposure=exposure,
                    purpose=purpose,
                    why=why,
                    policy=version.name,
                    policy_version=version.version,
                    leads_to=leads_to,
                    answered_by=by,
                )
        except IntegrityError as error:
            raise Stale(
                _("Somebody answered for %(project)s just now. Read it, then answer again.")
                % {"project": project.name},
                code="answered_meanwhile",
            ) from error
        ledger.record(
            EventKind.MATERIALITY_ANSWERED,
            by=by,
            project=project.key,
            subject=f"project:{project.pk}",
            name=project.name,
            person_name=by.name,
            version=made.version,
            exposure=table.exposure.answers[exposure],
            purpose=table.purpose.answers[purpose],
            answers={"exposure": exposure, "purpose": purpose},
            why=why,
            policy={"name": version.name, "version": version.version},
            tier=project.tier,
            leads_to=leads_to,
        )
        return made
