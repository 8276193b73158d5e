"""Publishing policies: versions, what is refused, where it is wrong, and which one applies."""

import hashlib

import pytest
from django.db import DatabaseError, transaction

from governance import queries
from governance.actions import policies
from governance.models import PolicyVersion
from governance.policy import PolicyError
from portal import ledger
from portal.errors import Forbidden, Invalid, Refused, Stale
from portal.event_kinds import EventKind
from portal.models import Event
from portal.projecting import sign_roles
from tests.cast import POLICY, Cast, make_cast
from tests.conftest import Database
from tests.integration.test_grants import refusals_of

# One more signature, in a role nobody had yet.
STRICTER = POLICY.replace(
    "          - sign_off: {role: model-risk, people: 1, covers: all}",
    "          - sign_off: {role: model-risk, people: 1, covers: all}\n"
    "          - sign_off: {role: privacy, people: 2, covers: [data]}",
)


def test_a_policy_gets_the_next_version_and_the_newest_applies(cast: Cast) -> None:
    assert queries.policy_of(cast.churn) == cast.policy
    assert "privacy" not in sign_roles()
    published = policies.publish(by=cast.abe, source=STRICTER)
    assert (published.name, published.version) == ("demo-policy", 2)
    assert published.source == STRICTER
    assert published.digest != cast.policy.digest
    assert sign_roles() == ["explainability", "fairness", "model-risk", "privacy"]
    assert queries.policy_of(cast.churn) == published
    keys = [clause.key for clause in queries.rules_for(cast.prod).stage.requirements]
    assert keys[-1] == "sign_off:privacy"
    back = policies.publish(by=cast.ada, source=POLICY)
    assert (back.version, back.digest) == (3, cast.policy.digest)
    assert queries.rules_for(cast.prod).ref.version == 3
    other = policies.publish(by=cast.ada, source=STRICTER.replace("demo-policy", "other-policy"))
    assert other.version == 1
    assert queries.policy_of(cast.churn) == back


def test_the_ledger_keeps_the_policy_as_published(cast: Cast) -> None:
    published = policies.publish(by=cast.abe, source=STRICTER)
    event = ledger.events(kinds=[EventKind.POLICY_PUBLISHED])[-1]
    assert (event.subject, event.actor_id) == (f"policy:{published.pk}", str(cast.abe.pk))
    assert event.facts == {
        "policy": "demo-policy",
        "change": None,
        "version": 2,
        "digest": published.digest,
        "source": STRICTER,
        "tiers": ["critical", "light"],
    }


def test_the_same_again_is_refused_however_it_is_written(cast: Cast) -> None:
    for source in (POLICY, "# A remark.\n" + POLICY, POLICY.replace("people: 1, ", "")):
        with pytest.raises(Invalid) as refused:
            policies.publish(by=cast.ada, source=source)
        assert (refused.value.code, refused.value.field) == ("policy_same", "source")
        assert "Version 1" in refused.value.sentence
    assert PolicyVersion.objects.count() == 1


def test_a_broken_policy_is_refused_with_line_column_and_remedy(cast: Cast) -> None:
    events = Event.objects.count()
    lines = POLICY.splitlines()
    at = next(number for number, line in enumerate(lines, start=1) if "soak" in line)
    for source, line in (
        (POLICY.replace("soak:", "soke:"), at),
        (POLICY.replace("for: 2s", "for: soon"), at),
        ("policy: [", 1),
        ("", 1),
        ("policy: x\ntiers: {}\n", 2),
        (POLICY + "\n\tx: 1\n", len(lines) + 2),
    ):
        with pytest.raises(PolicyError) as refused:
            policies.publish(by=cast.ada, source=source)
        problem = refused.value.problems[0]
        assert problem.line == line, source[-80:]
        assert problem.column >= 1
        assert problem.remedy[-1] in ".?"
        assert f"Line {line}, column {problem.column}" in refused.value.sentence
    assert Event.objects.count() == events
    assert PolicyVersion.objects.count() == 1


def test_only_administrators_publish(cast: Cast) -> None:
    for who in (cast.otto, cast.olga, cast.nora, cast.fay):
        with pytest.raises(Forbidden):
            policies.publish(by=who, source=STRICTER)
    assert "privacy" not in sign_roles()


def test_a_version_never_changes(each_database: Database) -> None:
    cast = make_cast()
    digest = hashlib.sha256(cast.policy.source.encode()).hexdigest()
    cast.policy.source = "policy: other"
    with pytest.raises(DatabaseError):
        cast.policy.save()
    with pytest.raises(TypeError):
        cast.policy.delete()
    for change in (
        lambda: PolicyVersion.objects.update(source="policy: other"),
        lambda: PolicyVersion.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            change()
    assert hashlib.sha256(PolicyVersion.objects.get().source.encode()).hexdigest() == digest


def test_of_two_who_publish_at_once_one_reads_the_other_first(database_copy: Database) -> None:
    cast = make_cast()
    stricter = STRICTER.replace("privacy", "security")
    refused = refusals_of(
        lambda: policies.publish(by=cast.ada, source=STRICTER),
        lambda: policies.publish(by=cast.abe, source=stricter),
    )
    # Both get through where one was quicker than the other could begin.
    assert all(isinstance(refusal, Stale) for refusal in refused)
    assert sorted(PolicyVersion.objects.values_list("version", flat=True)) == [1, 2, 3][: 3 - len(refused)]


def test_where_no_policy_speaks_the_refusal_says_who_can_help(cast: Cast) -> None:
    for field, value, words in (
        ("policy", "nothing", "No policy “nothing” is published"),
        ("tier", "gold", "says nothing about tier “gold” at stage “prod”"),
    ):
        lane = cast.prod
        setattr(lane.project, field, value)
        with pytest.raises(Refused) as refused:
            queries.rules_for(lane)
        assert words in refused.value.sentence
        assert "An administrator can" in refused.value.sentence
    with pytest.raises(Refused) as refused:
        queries.rules_for(cast.prod).clause("sign_off:nobody")
    assert refused.value.code == "requirement_unknown"
