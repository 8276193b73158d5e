"""Every kind of event: its name (`subject.happened`), the facts it must state, and the sentence it reads as.

Personal (`*`) is who somebody is, and whatever people typed. What DSS answered stands plain: it is what is proved.

The sentence is an English template over facts and `actor`; personal facts are filled in from their disclosures. The
same sentence stands on the ledger page, in the API and in the report. A fact missing here is a fact not proved.
"""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventKind(models.TextChoices):
    """The vocabulary of the ledger."""

    ADMIN_MADE = "admin.made", _("Admin made")
    PERSON_ADDED = "person.added", _("Person added")
    PERSON_CHANGED = "person.changed", _("Person changed")
    PERSON_LEFT = "person.left", _("Person left")
    TEAM_ADDED = "team.added", _("Team added")
    TEAM_JOINED = "team.joined", _("Team joined")
    TEAM_LEFT = "team.left", _("Team left")
    SIGNED_IN = "person.signed_in", _("Signed in")
    SIGNED_OUT = "person.signed_out", _("Signed out")
    SIGN_IN_REFUSED = "person.sign_in_refused", _("Not let in")
    SESSION_ENDED = "session.ended", _("Session ended")
    PASSWORD_CHANGED = "person.password_changed", _("Password changed")
    PASSWORD_RESET = "person.password_reset", _("Password reset")
    PERSON_DISABLED = "person.disabled", _("Account disabled")
    PERSON_ENABLED = "person.enabled", _("Account enabled")
    FACTOR_ADDED = "factor.added", _("Second factor added")
    FACTOR_REMOVED = "factor.removed", _("Second factor removed")
    CODES_MADE = "factor.codes_made", _("Recovery codes made")
    TEAM_FACTOR = "team.second_factor", _("Second factor of a team")
    IDENTITY_LINKED = "identity.linked", _("Account linked")
    IDENTITY_UNLINKED = "identity.unlinked", _("Account unlinked")
    DIRECTORY_GROUP = "group.changed", _("Group changed")
    GROUP_MAPPED = "group.mapped", _("Group mapped")
    GROUP_UNMAPPED = "group.unmapped", _("Group unmapped")
    PROVIDER_FAILED = "provider.failed", _("Identity provider failed")
    TOKEN_MADE = "token.made", _("Token made")
    TOKEN_REVOKED = "token.revoked", _("Token revoked")
    DELEGATION_MADE = "delegation.made", _("Delegated")
    DELEGATION_ENDED = "delegation.ended", _("Delegation ended")
    NODE_ADDED = "node.added", _("Node added")
    NODE_CHANGED = "node.changed", _("Node changed")
    NODE_REMOVED = "node.removed", _("Node removed")
    PIPELINE_ADDED = "pipeline.added", _("Pipeline added")
    PIPELINE_CHANGED = "pipeline.changed", _("Pipeline changed")
    PIPELINE_REMOVED = "pipeline.removed", _("Pipeline removed")
    PROJECT_IMPORTED = "project.imported", _("Project imported")
    PROJECT_RERULED = "project.reruled", _("Tier changed")
    MATERIALITY_ANSWERED = "project.materiality_answered", _("Materiality answered")
    PORTFOLIO_ADDED = "portfolio.added", _("Portfolio added")
    PORTFOLIO_GAINED = "portfolio.gained", _("Project put into portfolio")
    PORTFOLIO_LOST = "portfolio.lost", _("Project taken out of portfolio")
    OWNER_ADDED = "project.owner_added", _("Owner added")
    OWNER_REMOVED = "project.owner_removed", _("Owner removed")
    PROJECT_HANDED_OVER = "project.handed_over", _("Project handed over")
    COUNTERPART_SET = "counterpart.set", _("Counterpart set")
    GRANT_GIVEN = "grant.given", _("Right granted")
    GRANT_REVOKED = "grant.revoked", _("Right revoked")
    GRANT_CONFIRMED = "grant.confirmed", _("Right confirmed")
    REVIEW_STARTED = "review.started", _("Access review started")
    REVIEW_ANSWERED = "review.answered", _("Rights answered for")
    REVIEW_LAPSED = "review.lapsed", _("Rights not confirmed")
    REVIEW_COMPLETED = "review.completed", _("Access review completed")
    REVIEW_EXPIRED = "review.expired", _("Access review expired")
    REVIEW_CALLED_OFF = "review.called_off", _("Access review called off")
    COMBINATIONS_FOUND = "combinations.found", _("Combinations found")
    CHANGE_ASKED = "change.asked", _("Change proposed")
    CHANGE_APPLIED = "change.applied", _("Change applied")
    CHANGE_REFUSED = "change.refused", _("Change refused")
    CHANGE_WITHDRAWN = "change.withdrawn", _("Change withdrawn")
    CHANGE_OUTDATED = "change.outdated", _("Change outdated")
    CHANGE_HANDED_OVER = "change.handed_over", _("Change handed over")
    ACCESS_REFUSED = "access.refused", _("Refused")
    POLICY_PUBLISHED = "policy.published", _("Policy published")
    BUNDLE_ASKED = "bundle.asked", _("Bundle asked for")
    BUNDLE_REGISTERED = "bundle.registered", _("Bundle registered")
    BUNDLE_FAILED = "bundle.failed", _("Bundle not registered")
    COLLECTION_ASKED = "collection.asked", _("Evidence asked for")
    COLLECTION_FAILED = "collection.failed", _("Evidence not collected")
    EVIDENCE_RECORDED = "evidence.recorded", _("Evidence recorded")
    DOCUMENT_RECORDED = "document.recorded", _("Document recorded")
    SIGNOFF_GIVEN = "signoff.given", _("Signed")
    SIGNOFF_WITHDRAWN = "signoff.withdrawn", _("Signature withdrawn")
    CONDITION_STATED = "condition.stated", _("Condition stated")
    CONDITION_MET = "condition.met", _("Condition met")
    WAIVER_ASKED = "waiver.asked", _("Waiver asked for")
    WAIVER_GRANTED = "waiver.granted", _("Waived")
    WAIVER_REFUSED = "waiver.refused", _("Waiver refused")
    WAIVER_WITHDRAWN = "waiver.withdrawn", _("Waiver taken back")
    WAIVER_LAPSED = "waiver.lapsed", _("Waiver counts no more")
    WAIVER_REMINDED = "waiver.reminded", _("Reminded to answer for a waiver")
    WAIVER_ESCALATED = "waiver.escalated", _("Waiver escalated")
    SIGNOFF_ASKED = "signoff.asked", _("Asked to sign")
    SIGNOFF_REMINDED = "signoff.reminded", _("Reminded to sign")
    SIGNOFF_ESCALATED = "signoff.escalated", _("Signature escalated")
    SIGNOFF_LAPSED = "signoff.lapsed", _("Signature counts no more")
    REQUEST_SUBMITTED = "request.submitted", _("Request submitted")
    REQUEST_COMMENTED = "request.commented", _("Said in a request")
    REQUEST_TICKETED = "request.ticketed", _("Change ticket given")
    REQUEST_WITHDRAWN = "request.withdrawn", _("Request withdrawn")
    REQUEST_HANDED_OVER = "request.handed_over", _("Request handed over")
    REQUEST_SUPERSEDED = "request.superseded", _("Request superseded")
    REQUEST_PROMOTED = "request.promoted", _("Promotion asked for")
    REQUEST_LANDED = "request.landed", _("Request done")
    REQUEST_HELD = "request.held", _("Request held")
    VERDICT_JUDGED = "verdict.judged", _("Gate judged")
    PROMOTION_STARTED = "promotion.started", _("Promotion started")
    PROMOTION_LIVE = "promotion.live", _("Live change begun")
    PROMOTION_SUCCEEDED = "promotion.succeeded", _("Promotion succeeded")
    PROMOTION_FAILED = "promotion.failed", _("Promotion failed")
    PROMOTION_ERRORED = "promotion.errored", _("Promotion errored")
    PROMOTION_STOPPED = "promotion.stopped", _("Promotion stopped")
    STEP_DONE = "step.done", _("Step done")
    STEP_FAILED = "step.failed", _("Step failed")
    DEPLOYMENT_CHANGED = "deployment.changed", _("What runs changed")
    LANE_RELEASED = "lane.released", _("Lane released")
    CHECKPOINT_CUT = "checkpoint.cut", _("Checkpoint cut")
    REPORT_ASKED = "report.asked", _("Report asked for")
    REPORT_MADE = "report.made", _("Report made")
    REPORT_FAILED = "report.failed", _("Report not made")


@dataclass(frozen=True, slots=True)
class Shape:
    """The facts of a kind: `facts` must be there, `personal` among them are commitments with disclosures."""

    facts: frozenset[str]
    personal: frozenset[str]
    sentence: str
    v: int = 1


def _shape(sentence: str, *facts: str) -> Shape:
    """A fact written with a trailing `*` is personal."""
    return Shape(
        facts=frozenset(fact.rstrip("*") for fact in facts),
        personal=frozenset(fact.rstrip("*") for fact in facts if fact.endswith("*")),
        sentence=sentence,
    )


K = EventKind
SHAPES: dict[EventKind, Shape] = {
    K.ADMIN_MADE: _shape("{name} was made an administrator by command line", "person", "name*"),
    K.PERSON_ADDED: _shape("{name} was added as {kind}", "person", "name*", "login*", "kind"),
    K.PERSON_CHANGED: _shape("{actor} changed {changed} of {name}", "person", "name*", "was*", "changed"),
    K.PERSON_LEFT: _shape("{name} left; {actor} disabled the account", "person", "name*", "heirs", "why*"),
    K.TEAM_ADDED: _shape("Team {name} was added", "team", "name"),
    K.TEAM_JOINED: _shape("{name} joined team {team}", "team", "person", "name*", "source", "change"),
    K.TEAM_LEFT: _shape("{name} left team {team}", "team", "person", "name*", "source", "change"),
    K.SIGNED_IN: _shape("{actor} signed in by {method}", "method", "factor", "address*"),
    K.SIGNED_OUT: _shape("{actor} signed out"),
    K.SIGN_IN_REFUSED: _shape(
        "{name} was not let in", "person", "name*", "method", "provider", "code", "address*", "waits"
    ),
    K.SESSION_ENDED: _shape("{count} sessions of {name} were ended", "person", "name*", "count", "why"),
    K.PASSWORD_CHANGED: _shape("{actor} set a new password", "how"),
    K.PASSWORD_RESET: _shape(
        "{actor} gave {name} a code to set a new password{until}", "person", "name*", "until", "first"
    ),
    K.PERSON_DISABLED: _shape("{actor} disabled the account of {name}", "person", "name*", "why*"),
    K.PERSON_ENABLED: _shape("{actor} enabled the account of {name} again", "person", "name*", "why*"),
    K.FACTOR_ADDED: _shape("{actor} added a second factor ({kind})", "factor", "kind", "name*"),
    K.FACTOR_REMOVED: _shape(
        "{actor} removed a second factor ({kind}) of {name}", "person", "name*", "factor", "kind", "why*"
    ),
    K.CODES_MADE: _shape("{actor} made {count} recovery codes", "count"),
    K.TEAM_FACTOR: _shape("{actor} said that {name} {required} a second factor", "team", "name", "required"),
    K.IDENTITY_LINKED: _shape(
        "{actor} linked {name} to their account by {provider}",
        "person",
        "name*",
        "provider",
        "account*",
        "first",
    ),
    K.IDENTITY_UNLINKED: _shape(
        "{actor} unlinked {name} from their account by {provider}", "person", "name*", "provider"
    ),
    K.DIRECTORY_GROUP: _shape("{actor} changed the group {group}", "group", "joined", "left"),
    K.GROUP_MAPPED: _shape(
        "{actor} let the {provider} group {group} mean team {team}", "provider", "group", "team", "change"
    ),
    K.GROUP_UNMAPPED: _shape(
        "{actor} let the {provider} group {group} mean team {team} no more",
        "provider",
        "group",
        "team",
        "change",
    ),
    K.PROVIDER_FAILED: _shape("The identity provider by {provider} failed: {code}", "provider", "code"),
    K.TOKEN_MADE: _shape(
        "{actor} made the API token {prefix}… of {holder}",
        "person",
        "holder*",
        "prefix",
        "name*",
        "rights",
        "projects",
        "expires_at",
    ),
    K.TOKEN_REVOKED: _shape("{actor} revoked the API token {prefix}…", "person", "prefix"),
    K.DELEGATION_MADE: _shape(
        "{delegate_name} stands in for {name} from {starts_at}{until}",
        "delegation",
        "person",
        "name*",
        "delegate",
        "delegate_name*",
        "starts_at",
        "until",
        "change",
        "why*",
    ),
    K.DELEGATION_ENDED: _shape(
        "{actor} ended that {delegate_name} stands in for {name}",
        "delegation",
        "person",
        "name*",
        "delegate",
        "delegate_name*",
    ),
    K.NODE_ADDED: _shape("Node {node} ({kind}) was added", "node", "kind", "url", "change"),
    K.NODE_CHANGED: _shape("Node {node} was changed", "node", "before", "after", "change"),
    K.NODE_REMOVED: _shape("Node {node} was removed", "node", "change"),
    K.PIPELINE_CHANGED: _shape("Pipeline {pipeline} was changed", "pipeline", "before", "after", "change"),
    K.PIPELINE_REMOVED: _shape("Pipeline {pipeline} was removed", "pipeline", "change"),
    K.PIPELINE_ADDED: _shape(
        "Pipeline {pipeline} was added with stages {stages}", "pipeline", "stages", "places", "change"
    ),
    K.PROJECT_IMPORTED: _shape(
        "Project {name} was imported from {node} into tier {tier}",
        "node",
        "name",
        "tier",
        "pipeline",
        "team",
        "dss_owner*",
    ),
    K.MATERIALITY_ANSWERED: _shape(
        "{actor} answered how much hangs on {name}: {exposure}; {purpose}; that leads to tier {leads_to}",
        "name",
        "person_name*",
        "version",
        "exposure",
        "purpose",
        "answers",
        "why*",
        "policy",
        "tier",
        "leads_to",
    ),
    K.PROJECT_RERULED: _shape(
        "{actor} put {name} under other rules: before {before}, now {after}",
        "name",
        "before",
        "after",
        "change",
        "asked_by",
    ),
    K.PORTFOLIO_ADDED: _shape("Portfolio {name} was added", "portfolio", "name"),
    K.PORTFOLIO_GAINED: _shape(
        "{actor} put {name} into portfolio {portfolio}", "portfolio", "name", "change"
    ),
    K.PORTFOLIO_LOST: _shape(
        "{actor} took {name} out of portfolio {portfolio}", "portfolio", "name", "change"
    ),
    K.OWNER_ADDED: _shape("{name} became an owner", "person", "name*", "why*"),
    K.OWNER_REMOVED: _shape("{name} is no owner any more", "person", "name*", "why*"),
    K.PROJECT_HANDED_OVER: _shape(
        "{actor} handed {project_name} over from {name} to {heir_name}",
        "project_name",
        "person",
        "name*",
        "heir",
        "heir_name*",
        "why*",
    ),
    K.COUNTERPART_SET: _shape(
        "The {kind} {in_dss} of node {node} is {name} here",
        "node",
        "kind",
        "in_dss*",
        "person",
        "team",
        "name*",
    ),
    K.GRANT_GIVEN: _shape(
        "{actor} gave {holder} the right to {right} on {where}{until}",
        "grant",
        "change",
        "holder_kind",
        "holder_id",
        "holder*",
        "right",
        "role",
        "where",
        "stage",
        "until",
        "why*",
    ),
    K.GRANT_REVOKED: _shape(
        "{actor} revoked the right of {holder} to {right} on {where}",
        "grant",
        "change",
        "holder_kind",
        "holder_id",
        "holder*",
        "right",
        "role",
        "where",
        "stage",
        "why*",
    ),
    K.GRANT_CONFIRMED: _shape(
        "{actor} confirmed the right of {holder} to {right} on {where}{until}",
        "grant",
        "review",
        "holder_kind",
        "holder_id",
        "holder*",
        "right",
        "role",
        "where",
        "stage",
        "until",
    ),
    K.REVIEW_STARTED: _shape(
        "{actor} started access review {review} of {scope}: {grants} rights, due {due}",
        "review",
        "scope",
        "due",
        "grants",
        "places",
        "population",
        "spared",
        "why*",
    ),
    K.REVIEW_ANSWERED: _shape(
        "{actor} answered in access review {review}: {confirms} confirmed, {revokes} revoked",
        "review",
        "confirms",
        "revokes",
        "confirmed",
        "revoked",
        "meaning",
        "statement",
        "envelope",
        "key_id",
        "proved_by",
        "name*",
        "why*",
    ),
    K.REVIEW_LAPSED: _shape(
        "{count} rights were revoked because nobody confirmed them in access review {review}",
        "review",
        "count",
        "lapsed",
        "spared",
    ),
    K.REVIEW_COMPLETED: _shape(
        "Access review {review} is complete: {outcome}", "review", "outcome", "counts"
    ),
    K.REVIEW_EXPIRED: _shape(
        "Access review {review} ended at its due date: {outcome}", "review", "outcome", "counts"
    ),
    K.REVIEW_CALLED_OFF: _shape("{actor} called access review {review} off", "review", "why*"),
    K.COMBINATIONS_FOUND: _shape(
        "Who could act alone on {scope} was worked out: {alone} alone, {pairs} pairs, {risks} risky rights",
        "scope",
        "report",
        "projects",
        "alone",
        "pairs",
        "risks",
        "content",
    ),
    K.CHANGE_ASKED: _shape(
        "{actor} proposed change {change} of {kind}: {does}",
        "change",
        "kind",
        "does",
        "basis",
        "alone",
        "why*",
    ),
    K.CHANGE_APPLIED: _shape(
        "{actor} applied change {change} of {kind}", "change", "kind", "asked_by", "alone"
    ),
    K.CHANGE_REFUSED: _shape("{actor} refused change {change} of {kind}", "change", "kind", "why*"),
    K.CHANGE_WITHDRAWN: _shape("{actor} took back change {change} of {kind}", "change", "kind", "why*"),
    K.CHANGE_OUTDATED: _shape(
        "Change {change} of {kind} was not applied: what it was based on is not so any more", "change", "kind"
    ),
    K.CHANGE_HANDED_OVER: _shape(
        "Change {change} of {kind} was handed over from {name} to {heir_name}",
        "change",
        "kind",
        "person",
        "name*",
        "heir",
        "heir_name*",
        "why*",
    ),
    K.ACCESS_REFUSED: _shape("{actor} was refused: {reason}", "action", "code", "reason*"),
    K.POLICY_PUBLISHED: _shape(
        "{actor} published policy {policy} version {version}",
        "policy",
        "change",
        "version",
        "digest",
        "source",
        "tiers",
    ),
    K.BUNDLE_ASKED: _shape("{actor} asked for bundle {bundle} to be {origin}", "bundle", "origin", "notes*"),
    K.BUNDLE_REGISTERED: _shape(
        "Bundle {bundle} was registered ({members} members)",
        "bundle",
        "origin",
        "archive",
        "size",
        "members",
        "parts",
        "manifest",
        "author",
        "author_name*",
        "author_in_dss*",
    ),
    K.BUNDLE_FAILED: _shape("Bundle {bundle} could not be registered: {reason}", "bundle", "code", "reason"),
    K.COLLECTION_ASKED: _shape(
        "{actor} asked for evidence on {bundle} at {stage}", "bundle", "stage", "what"
    ),
    K.COLLECTION_FAILED: _shape(
        "{what} evidence on {bundle} could not be collected: {reason}",
        "bundle",
        "stage",
        "what",
        "code",
        "reason",
    ),
    K.EVIDENCE_RECORDED: _shape(
        "{evidence} evidence on {bundle} was recorded",
        "evidence",
        "bundle",
        "stage",
        "digest",
        "result",
        "parts",
        "source",
    ),
    K.DOCUMENT_RECORDED: _shape(
        "Document “{title}” ({document}) was recorded for {bundle}",
        "document",
        "bundle",
        "title*",
        "digest",
        "content",
        "media_type",
        "sections*",
        "parts",
        "origin",
    ),
    K.SIGNOFF_GIVEN: _shape(
        "{actor} signed for {role} of {bundle} to {stage}: {decision}",
        "signoff",
        "bundle",
        "stage",
        "role",
        "decision",
        "requirement",
        "clause",
        "covered",
        "evidence",
        "documents",
        "meaning",
        "statement",
        "envelope",
        "key_id",
        "proved_by",
        "name*",
        "on_behalf_of",
        "for_name*",
        "comment*",
        "supersedes",
    ),
    K.SIGNOFF_WITHDRAWN: _shape(
        "{actor} withdrew the {role} signature on {bundle}",
        "signoff",
        "bundle",
        "stage",
        "role",
        "statement",
        "why*",
    ),
    K.CONDITION_STATED: _shape(
        "Condition {number} of a {role} signature on {bundle} to {stage} is due {due}",
        *("signoff", "number", "bundle", "stage", "role", "due", "text*"),
    ),
    K.CONDITION_MET: _shape(
        "{actor} said that condition {number} of the {role} signature on {bundle} is met",
        *("signoff", "number", "bundle", "stage", "role", "how*", "proved_by"),
    ),
    K.WAIVER_ASKED: _shape(
        "{actor} asked to waive “{title}” for {bundle} to {stage}{until}",
        *(
            "waiver",
            "request",
            "bundle",
            "stage",
            "requirement",
            "title",
            "clause",
            "parts",
            "state",
            "finding",
        ),
        *("found", "until", "why*", "name*", "on_behalf_of", "for_name*", "people"),
    ),
    K.WAIVER_GRANTED: _shape(
        "{actor} waived “{title}” for {bundle} to {stage}{until}",
        *("waiver", "bundle", "stage", "requirement", "title", "clause", "until", "asked_by", "meaning"),
        *("statement", "envelope", "key_id", "proved_by", "name*", "comment*"),
    ),
    K.WAIVER_REFUSED: _shape(
        "{actor} refused to waive “{title}” for {bundle} to {stage}",
        *("waiver", "bundle", "stage", "requirement", "title", "name*", "comment*"),
    ),
    K.WAIVER_WITHDRAWN: _shape(
        "{actor} took the waiver of “{title}” for {bundle} to {stage} back",
        *("waiver", "bundle", "stage", "requirement", "title", "statement", "name*", "why*"),
    ),
    K.WAIVER_LAPSED: _shape(
        "The waiver of “{title}” counts no more for {bundle} to {stage}: {sentence}",
        *("request", "waiver", "bundle", "stage", "requirement", "title", "reason", "sentence*"),
    ),
    K.WAIVER_REMINDED: _shape(
        "{count} reminded that “{title}” for {bundle} to {stage} waits for a word on whether to waive it",
        *("request", "waiver", "requirement", "title", "bundle", "stage", "people", "count"),
    ),
    K.WAIVER_ESCALATED: _shape(
        "That nobody says whether to waive “{title}” for {bundle} to {stage} was told to {count}",
        *("request", "waiver", "requirement", "title", "bundle", "stage", "people", "count", "why*"),
    ),
    K.SIGNOFF_ASKED: _shape(
        "{count} asked to sign {role} for {bundle} to {stage}",
        *("request", "requirement", "role", "bundle", "stage", "people", "count"),
    ),
    K.SIGNOFF_REMINDED: _shape(
        "{count} reminded to sign {role} for {bundle} to {stage}",
        *("request", "requirement", "role", "bundle", "stage", "people", "count"),
    ),
    K.SIGNOFF_ESCALATED: _shape(
        "That {role} of {bundle} to {stage} is not signed was told to {count} who manage the project",
        *("request", "requirement", "role", "bundle", "stage", "people", "count", "why*"),
    ),
    K.SIGNOFF_LAPSED: _shape(
        "A {role} signature counts no more for {bundle} to {stage}: {sentence}",
        *("request", "signoff", "requirement", "role", "bundle", "stage", "person", "reason", "sentence*"),
    ),
    K.REQUEST_COMMENTED: _shape(
        "{actor} said something in request {request}",
        *("request", "comment", "text*", "name*", "mentioned"),
    ),
    K.REQUEST_SUBMITTED: _shape(
        "{actor} asked for {bundle} to go to {stage}",
        "request",
        "bundle",
        "bundle_subject",
        "stage",
        "why*",
        "name*",
        "on_behalf_of",
        "for_name*",
        "project_name",
        "stage_name",
    ),
    # Plain: a number of another system, which is what is proved; its form leaves no room for a sentence.
    K.REQUEST_TICKETED: _shape(
        "{actor} gave request {request} the change ticket {ticket}",
        "request",
        "ticket",
        "was",
        "bundle",
        "stage",
        "on_behalf_of",
    ),
    K.REQUEST_WITHDRAWN: _shape("{actor} withdrew request {request}", "request", "why*", "on_behalf_of"),
    K.REQUEST_HANDED_OVER: _shape(
        "Request {request} was handed over from {name} to {heir_name}",
        "request",
        "person",
        "name*",
        "heir",
        "heir_name*",
        "why*",
    ),
    K.REQUEST_SUPERSEDED: _shape("Request {request} was superseded by {by_request}", "request", "by_request"),
    K.REQUEST_PROMOTED: _shape(
        "{actor} started the promotion of request {request}", "request", "promotion", "why*", "on_behalf_of"
    ),
    K.REQUEST_LANDED: _shape("Request {request} is done", "request", "promotion"),
    K.REQUEST_HELD: _shape(
        "Request {request} is open again and held: {reason}", "request", "promotion", "reason*"
    ),
    K.VERDICT_JUDGED: _shape(
        "The gate was judged ({moment}): {outcome}",
        "request",
        "moment",
        "outcome",
        "case",
        "verdict",
        "findings",
        "policy",
        "bundle",
        "stage",
    ),
    K.PROMOTION_STARTED: _shape(
        "Promotion {promotion} of {bundle} to {stage} started ({kind})",
        "promotion",
        "request",
        "kind",
        "undoes",
        "bundle",
        "stage",
        "place",
        "steps",
        "name*",
        "on_behalf_of",
        "for_name*",
    ),
    K.PROMOTION_LIVE: _shape(
        "The live change of promotion {promotion} began",
        "promotion",
        "request",
        "bundle",
        "previous",
        "place",
    ),
    K.PROMOTION_SUCCEEDED: _shape(
        "Promotion {promotion} succeeded: {bundle} runs", "promotion", "request", "kind", "bundle"
    ),
    K.PROMOTION_FAILED: _shape(
        "Promotion {promotion} failed: {reason}", "promotion", "request", "kind", "code", "reason", "then"
    ),
    K.PROMOTION_ERRORED: _shape(
        "Promotion {promotion} errored: {reason}", "promotion", "request", "kind", "code", "reason", "then"
    ),
    K.PROMOTION_STOPPED: _shape(
        "{actor} stopped promotion {promotion}",
        "promotion",
        "request",
        "kind",
        "why*",
        "then",
        "on_behalf_of",
    ),
    K.STEP_DONE: _shape(
        "Step {step} done",
        "promotion",
        "request",
        "step",
        "index",
        "started_at",
        "ended_at",
        "attempts",
        "output",
    ),
    K.STEP_FAILED: _shape(
        "Step {step} failed: {reason}",
        "promotion",
        "request",
        "step",
        "index",
        "started_at",
        "ended_at",
        "attempts",
        "code",
        "reason",
        "output",
    ),
    K.DEPLOYMENT_CHANGED: _shape(
        "{bundle} runs in {stage}", "stage", "place", "bundle", "previous", "promotion", "parts"
    ),
    K.LANE_RELEASED: _shape(
        "{actor} released the stage {stage}", "stage", "promotion", "why*", "on_behalf_of"
    ),
    K.CHECKPOINT_CUT: _shape("A checkpoint was cut over {size} events", "size", "root", "note"),
    K.REPORT_ASKED: _shape("{actor} asked for a report on {about}", "report", "about"),
    K.REPORT_MADE: _shape(
        "A report on {about} was made from events {first} to {last}",
        "report",
        "about",
        "first",
        "last",
        "content",
        "size",
        "checkpoint_size",
        "checkpoint_root",
    ),
    K.REPORT_FAILED: _shape("The report on {about} could not be made: {reason}", "report", "about", "reason"),
}
