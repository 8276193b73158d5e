"""The story, chapter by chapter, played by the cast over the portal's REST API.

Each chapter looks whether it happened and plays only what is missing. One that was played to its end is written down,
and from then on only verified: what people changed since is said, and stays as they left it. A chapter that did not
happen ends the demo with a sentence.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from portal.demo import cast
from portal.demo.cast import (
    ADA,
    DEV,
    ELI,
    FRAUD,
    MEMBERS,
    MONA,
    NORA,
    OLGA,
    OTTO,
    PASSWORD,
    PEOPLE,
    PROJECT,
    RAVI,
    SIGNERS,
    TEAM,
    Player,
)
from portal.demo.client import DemoFailed, Problem, Visitor, ensure, wait_for
from portal.demo.processes import Demo

Say = Callable[[str], object]
# Another story than that of an earlier version: its data directory is not gone on with.
STORY = "3"
TEAM_SLUG = "churn-team"


def begin_in(data_dir: Path) -> None:
    """Say whose story a data directory holds; raises DemoFailed for one that an older demo left."""
    told = data_dir / "story"
    if (data_dir / "countersign.sqlite3").exists() and (not told.exists() or told.read_text() != STORY):
        raise DemoFailed(
            f"{data_dir} holds what an older demo left, whose story went another way. Start over with --fresh,"
            " which forgets it, or name another --data-dir."
        )
    data_dir.mkdir(parents=True, exist_ok=True)
    told.write_text(STORY)


def play(demo: Demo, say: Say) -> Path:
    """Play or verify every chapter; returns the path of the report on v3's request."""
    story, played = Story(demo, say), demo.data_dir / "played.json"
    done: list[str] = json.loads(played.read_text()) if played.exists() else []
    for number, chapter in enumerate(story.chapters, start=1):
        began = time.monotonic()
        say(f"\n{number}. {chapter.__doc__}")
        story.verifying = chapter.__name__ in done
        try:
            chapter()
        except (Changed, Problem) as difference:
            if not story.verifying:
                raise
            say(f"   This happened; since then somebody changed it: {difference}")
        if not story.verifying:
            done.append(chapter.__name__)
            partial = played.with_suffix(".part")
            partial.write_text(json.dumps(done))
            partial.rename(played)
        say(f"   ({time.monotonic() - began:.1f} s)")
    return story.reports[-1]


class Changed(DemoFailed):
    """Something is not as a chapter leaves it: it went wrong, or people went on from there."""


class Story:
    """The chapters and the people who play them."""

    def __init__(self, demo: Demo, say: Say) -> None:
        self.demo = demo
        self._say = say
        self._visitors: dict[str, Visitor] = {}
        # Whether this chapter was played to its end before: then it looks, and changes nothing.
        self.verifying = False
        self.reports: list[Path] = []

    @cached_property
    def chapters(self) -> list[Callable[[], None]]:
        return [
            self.estate,
            self.rights,
            self.first_bundle,
            self.refused,
            self.payments,
            self.second_bundle,
            self.third_bundle,
            self.kept_out,
            self.waived,
            self.fourth_bundle,
            self.fifth_bundle,
            self.proof,
        ]

    def says(self, text: str) -> None:
        self._say(f"   {text}")

    def by(self, player: Player) -> Visitor:
        if player.login not in self._visitors:
            self._visitors[player.login] = Visitor(self.demo.url, player)
        return self._visitors[player.login]

    # --- chapters ---

    def estate(self) -> None:
        """Ada and Abe are made administrators and describe the estate: nodes, pipeline, policy, people, projects."""
        # A process each, and not once more while this story speaks for the first of them.
        for admin in () if self.verifying or ADA.login in self._visitors else cast.ADMINS:
            self.demo.manage(
                "create_admin",
                "--login",
                admin.login,
                "--name",
                admin.name,
                "--zone",
                admin.zone,
                stdin=PASSWORD + "\n",
            )
        ada = self.by(ADA)
        for slug, name in cast.NODES.items():
            self._add_node(slug, name)
        self._once(
            lambda: any(p["slug"] == cast.PIPELINE["slug"] for p in ada.every("pipelines/")),
            lambda: ada.post("pipelines/", why="One way to production.", **cast.PIPELINE),
        )
        published = self._publish("demo-policy", cast.POLICY, "The first rules.")
        self._publish("payments-policy", cast.PAYMENTS_POLICY, "Payments have rules of their own.")
        for player in PEOPLE:
            self._add_person(player)
        self._once(self._team, lambda: ada.post("teams/", name=TEAM, slug=TEAM_SLUG))
        for player in MEMBERS:
            self._join_team(player)
        for project in cast.PROJECTS:
            self._import_project(project)
        self.says(
            f"Policy {published['name']} version {published['version']} is in force; "
            f"{len(cast.PROJECTS)} projects are imported."
        )

    def rights(self) -> None:
        """Ada gives the churn team its rights on QA and production, and three people the right to sign."""
        for stage in ("qa", "prod"):
            self._grant("request", team=TEAM_SLUG, stage=stage, why="The team deploys its own project.")
            self._grant("promote", login=MONA.login, stage=stage, why="Release manager of the team.")
        for role, player in SIGNERS.items():
            why = f"Appointed for {role.replace('-', ' ')}."
            self._grant("sign", role=role, login=player.login, stage="prod", why=why)
        self._grant("waive", login=RAVI.login, stage="prod", why="Answers for exceptions.")
        # Dev may sign fairness of other people's bundles; of his own he may not, as chapter 8 shows.
        self._grant("sign", role="fairness", login=DEV.login, stage="prod", why="Deputy for fairness.")
        self._grant("audit", login=NORA.login, why="Internal audit.", project="")
        lanes = self.by(DEV).get(f"projects/{PROJECT}/")["lanes"]
        self.says(
            "Dev's team sees "
            + " and ".join(f"{lane['stage']} ({', '.join(lane['rights'])})" for lane in lanes)
            + "."
        )

    def first_bundle(self) -> None:
        """Dev has v1 exported and asks for QA; Mona promotes it, its tests run there."""
        self._bundle("v1")
        self._to_qa("v1", "First model of the season.")

    def refused(self) -> None:
        """Dev asks for v1 in production; the gate refuses, because a group is treated unfairly."""
        self._collect("v1")
        request = self._request("v1", "prod", "Retention campaign starts Monday.")
        if not self.verifying:
            try:
                self.by(MONA).post(f"requests/{request}/promote/")
            except Problem as problem:
                if problem.code not in ("gate_closed", "request_not_open"):
                    raise
            else:
                raise DemoFailed("Production took v1 although it treats a group unfairly.")
        finding = self._finding(request, "evidence:fairness")
        if finding["state"] != "not_met":
            raise Changed(f"v1 was to be unfair, but: {finding['sentence']}")
        self.says(f"Not met: {finding['sentence']}")

    def payments(self) -> None:
        """Card fraud has rules of its own: Olga answers how much hangs on it, and v1 goes to QA by itself."""
        for right, player, role in (
            ("view", OLGA, ""),
            ("request", DEV, ""),
            ("promote", MONA, ""),
            ("sign", ELI, "explainability"),
            ("waive", RAVI, ""),
        ):
            why = "Card fraud is looked after by the same people."
            self._grant(right, role=role, login=player.login, project=FRAUD, why=why)
        olga = self.by(OLGA)
        path = f"projects/{FRAUD}/materiality/"
        why = "It stops about 40,000 payments a day before anybody looks."
        self._once(
            lambda: next(olga.every(f"{path}answers/"), None),
            lambda: olga.post(path, exposure="many", purpose="stopped", why=why),
        )
        self.says(f"The answers lead to tier {olga.get(path)['leads_to']}.")
        self._bundle("v1", project=FRAUD)
        self._request("v1", "qa", "First model that stops payments.", project=FRAUD)

    def second_bundle(self) -> None:
        """v2 goes through QA, evidence is collected, Fay, Eli and Ravi sign, and it goes to production by itself."""
        self._bundle("v2")
        self._to_qa("v2", "Retrained without gender.")
        self._collect("v2")
        self._write_purpose("v2")
        request = self._request("v2", "prod", "Treats both genders alike now.")
        self._sign_all(request, "v2")
        self._ends(request, "v2", "prod", "done")
        if self._ran_before("v3"):
            return  # production may run anything by now
        running = self._running("prod")
        if running["bundle_id"] != "v2":
            raise Changed(f"Production was to run v2, but runs {running['bundle_id']}.")
        self.says("Production runs v2.")

    def third_bundle(self) -> None:
        """v3 passes everything, but its smoke test fails in production; the portal rolls back to v2 by itself."""
        self._bundle("v3")
        self._to_qa("v3", "Offers now respect the budget.")
        self._collect("v3")
        self._write_purpose("v3")
        request = self._request("v3", "prod", "Marketing asked for budgets.")
        self._sign_all(request, "v3")
        self._ends(request, "v3", "prod", "held")
        promotions = self.by(DEV).get(f"requests/{request}/")["promotions"]
        failed = next(p for p in promotions if p["kind"] == "promote")
        back = next((p for p in promotions if p["kind"] == "rollback"), None)
        if (
            failed["status"] != "failed"
            or back is None
            or back["status"] != "succeeded"
            or back["bundle_id"] != "v2"
        ):
            raise Changed(
                f"v3 was to be rolled back to v2, but: {[(p['kind'], p['bundle'], p['status']) for p in promotions]}"
            )
        if not self._ran_before("v4") and self._running("prod")["bundle_id"] != "v2":
            raise Changed("After the rollback production does not run v2.")
        self.says(f"{failed['reason']} Production runs v2 again.")

    def kept_out(self) -> None:
        """Otto, an outsider, finds nothing; Dev, who asked and holds a sign role, may not sign his own request."""
        try:
            self.by(OTTO).get(f"projects/{PROJECT}/")
            raise DemoFailed("Otto sees a project that is none of his business.")
        except Problem as problem:
            if problem.status != 404:
                raise
            self.says(f"Otto: {problem.detail}")
        if self.verifying:
            return  # a try of Dev's would be one more event
        request = self.asked("v3", "prod")
        try:
            self._sign(request, "fairness", DEV)
            raise DemoFailed("Dev signed his own request.")
        except Problem as problem:
            if problem.status != 403 or problem.code != "barred":
                raise
            self.says(f"Dev: {problem.detail}")

    def waived(self) -> None:
        """Card fraud is to go live before its day in QA is over: Dev asks to waive that, and Ravi grants it."""
        self._ends(self.asked("v1", "qa", project=FRAUD), "v1", "qa", "done")
        self._collect_one("v1", "explainability", project=FRAUD)
        why = "A wave of stolen cards began last night."
        request = self._request("v1", "prod", why, project=FRAUD, ticket="CHG20417")
        dev, ravi = self.by(DEV), self.by(RAVI)
        path = f"requests/{request}/waivers/"
        until = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
        asked = self._once(
            lambda: next(dev.every(path), None),
            lambda: dev.post(
                path,
                requirement="soak:qa",
                until=until,
                why=f"{why} The old rules in the till stay on beside it.",
            ),
        )

        def grant() -> None:
            shown = ravi.get(f"{path}{asked['id']}/")
            said = "Two weeks, with the old rules beside it."
            ravi.post(f"{path}{asked['id']}/grant/", bound=shown["bound"], comment=said, password=PASSWORD)

        self._once(lambda: dev.get(f"waivers/{asked['id']}/")["state"] == "waived", grant)
        finding = self._finding(request, "soak:qa")
        if finding["state"] not in ("waived", "met"):  # met once the day is over
            raise Changed(f"The day in QA was to be waived, but: {finding['sentence']}")
        self.says(finding["sentence"])

    def fourth_bundle(self) -> None:
        """v4 is v2 with another dashboard: nobody signs again, and after its tests in QA it goes on by itself."""
        self._bundle("v4")
        request = self._request("v4", "prod", "The regions want their numbers.")
        tested = self._to_qa("v4", "Another dashboard.")
        self._ends(request, "v4", "prod", "done")
        promotion = next(
            p for p in self.by(DEV).get(f"requests/{request}/")["promotions"] if p["kind"] == "promote"
        )
        if promotion["started_by"]["login"] in {player.login for player in cast.CAST}:
            raise Changed("v4 was to go to production by itself, but somebody started it.")
        for role in SIGNERS:
            finding = self._finding(request, f"sign_off:{role}")
            if finding["state"] != "met" or "Carried from bundle v2" not in finding["sentence"]:
                raise Changed(f"v4 was to carry the signatures of v2, but: {finding['sentence']}")
        self.says(self._finding(request, "sign_off:model-risk")["sentence"])
        later = _seconds(promotion["started_at"]) - _seconds(tested["ended_at"])
        self.says(f"It started {later:.1f} s after its tests in QA; nobody clicked anything.")

    def fifth_bundle(self) -> None:
        """v5 is v2 retrained: exactly what was signed of the models is asked again."""
        self._bundle("v5")
        request = self._request("v5", "prod", "Trained on the summer.")
        self._to_qa("v5", "Retrained.")
        for role in SIGNERS:
            finding = self._finding(request, f"sign_off:{role}")
            again = finding["code"] == "sign_off_asked_again" and "models" in finding["sentence"]
            if again != ("models" in finding["params"]["covers"]):
                raise Changed(f"v5 was to be asked again for its models, but: {finding['sentence']}")
        self.says(self._finding(request, "sign_off:explainability")["sentence"])

    def proof(self) -> None:
        """Reports are made, and the ledger is verified."""
        folder = self.demo.data_dir / "reports"
        folder.mkdir(exist_ok=True)
        for bundle in ("v1", "v2", "v3"):
            path = next(folder.glob(f"request-*-{bundle}.pdf"), None)
            if path is None:
                request = self.asked(bundle, "prod")
                path = folder / f"request-{request}-{bundle}.pdf"
                made = self.report(request)
                partial = path.with_suffix(".part")
                partial.write_bytes(self.by(NORA).download(f"reports/{made}/pdf/"))
                partial.rename(path)
            if not path.read_bytes().startswith(b"%PDF"):
                raise DemoFailed(f"{path} is no PDF.")
            self.reports.append(path)
            self.says(f"Report on {bundle}: {path}")
        self.says(self.demo.manage("verify_ledger").strip().splitlines()[-1])

    # --- what chapters are made of ---

    def _once(self, look: Callable[[], Any], act: Callable[[], Any]) -> Any:
        if not self.verifying:
            return ensure(look, act)
        found = look()
        if not found:
            raise Changed("What this chapter made is not there any more.")
        return found

    def _ran_before(self, bundle: str) -> bool:
        """Whether the story went on to this bundle already."""
        return self._request_of(bundle, "qa") is not None

    def _team(self) -> Any:
        return next((team for team in self.by(ADA).every("teams/") if team["slug"] == TEAM_SLUG), None)

    def _publish(self, name: str, source: Path, why: str) -> Any:
        ada = self.by(ADA)
        return self._once(
            lambda: next((p for p in ada.every("policies/") if p["name"] == name), None),
            lambda: ada.post("policies/", source=source.read_text(), why=why),
        )

    def _add_node(self, slug: str, name: str) -> None:
        ada, node = self.by(ADA), self.demo.sandbox.nodes[slug]
        new = {"slug": slug, "name": name, "kind": node.kind, "url": node.url, "key_name": node.key_name}
        self._once(
            lambda: slug in {n["slug"] for n in ada.every("nodes/")},
            lambda: ada.post("nodes/", why="The estate as it is.", **new),
        )

    def _add_person(self, player: Player) -> None:
        ada = self.by(ADA)
        new = {"login": player.login, "name": player.name, "email": player.email, "zone": player.zone}

        def found() -> Any:
            return next((p for p in ada.every("people/") if p["login"] == player.login), None)

        self._once(found, lambda: ada.post("people/", **new))
        # Nobody sets a password for somebody else: Ada gives a code, with which they choose one.
        self._once(
            lambda: (found() or {}).get("has_password"),
            lambda: self.by(player).choose_password(
                ada.post(f"people/{player.login}/reset-password/")["code"]
            ),
        )

    def _join_team(self, player: Player) -> None:
        self._once(
            lambda: player.login in {member["login"] for member in self._team()["members"]},
            lambda: self.by(ADA).post(
                f"teams/{TEAM_SLUG}/members/", login=player.login, why="Works on churn."
            ),
        )

    def _import_project(self, project: Mapping[str, str]) -> None:
        ada = self.by(ADA)
        self._once(lambda: ada.find(f"projects/{project['key']}/"), lambda: ada.post("projects/", **project))

    def _grant(
        self,
        right: str,
        *,
        why: str,
        role: str = "",
        login: str = "",
        team: str = "",
        stage: str = "",
        project: str = PROJECT,
    ) -> None:
        ada = self.by(ADA)

        def there() -> bool:
            return any(
                (
                    g["right"],
                    g["role"],
                    _name(g["person"], "login"),
                    _name(g["team"], "slug"),
                    g["stage"],
                    g["project"] or "",
                )
                == (right, role, login, team, stage, project)
                for g in ada.every("grants/", **({"project": project} if project else {}))
            )

        given = {"right": right, "role": role, "stage": stage, "why": why}
        given |= {"person": login} if login else {"team": team}
        given |= {"project": project} if project else {}
        self._once(there, lambda: ada.post("grants/", **given))

    def _bundle(self, bundle: str, project: str = PROJECT) -> None:
        """Dev's work of that revision, exported by the portal unless it is registered."""
        dev, path = self.by(DEV), f"projects/{project}/bundles/"
        found = dev.find(f"{path}{bundle}/")
        if found is None and not self.verifying:
            self.demo.sandbox.control.apply_revision(project, bundle)
            self._once(
                lambda: dev.find(f"{path}{bundle}/"),
                lambda: dev.post(path, bundle_id=bundle, notes=f"Revision {bundle}"),
            )
        done = wait_for(f"The registration of {bundle}", lambda: self._settled_bundle(f"{path}{bundle}/"))
        if done["status"] != "registered":
            raise DemoFailed(f"{bundle} could not be registered: {done['problem']}")
        if found is None:
            self.says(f"{bundle}: {done['members']} members, archive {done['archive'][:12]}…")

    def _settled_bundle(self, path: str) -> Any:
        found = self.by(DEV).get(path)
        return found if found["status"] != "asked" else None

    def _to_qa(self, bundle: str, why: str) -> Any:
        """The step of its tests there."""
        request = self._request(bundle, "qa", why)
        self._promote(request, bundle, "qa", "done")
        tests = next((s for s in self._steps(request) if s["name"] == "run_tests"), None)
        if tests is None or tests["status"] != "done":
            raise DemoFailed(f"The tests of {bundle} did not run in QA.")
        passed = [f"{run['scenario']} {run['outcome']}" for run in tests["output"]["results"]]
        self.says(f"QA runs {bundle}; {', '.join(passed)}.")
        return tests

    def _request_of(self, bundle: str, stage: str, project: str = PROJECT) -> int | None:
        """The story's request of this bundle to this stage: the first, whatever people asked for after it."""
        found = [
            r
            for r in self.by(DEV).every("requests/", project=project)
            if r["bundle_id"] == bundle and r["stage"] == stage
        ]
        return min((int(r["number"]) for r in found), default=None)

    def asked(self, bundle: str, stage: str, project: str = PROJECT) -> int:
        """The number of the request an earlier chapter made."""
        found = self._request_of(bundle, stage, project)
        if found is None:
            raise DemoFailed(f"Nobody asked for {bundle} to {stage}.")
        return found

    def _request(self, bundle: str, stage: str, why: str, project: str = PROJECT, ticket: str = "") -> int:
        wish = {"project": project, "bundle_id": bundle, "stage": stage, "why": why, "ticket": ticket}
        return int(
            self._once(
                lambda: self._request_of(bundle, stage, project),
                lambda: self.by(DEV).post("requests/", **wish),
            )
        )

    def _steps(self, request: int) -> list[Any]:
        promotions = self.by(DEV).get(f"requests/{request}/")["promotions"]
        return next((list(p["steps"]) for p in promotions if p["kind"] == "promote"), [])

    def _state(self, request: int) -> Any:
        found = self.by(DEV).get(f"requests/{request}/")
        running = not found["promotions"] or any(p["status"] == "running" for p in found["promotions"])
        # It may have ended between the two reads that the answer is made of.
        return None if running or found["status"] == "promoting" else found

    def _promote(self, request: int, bundle: str, stage: str, end: str) -> None:
        """Start the promotion once its gate is open, unless it was started; wait for its end, rollback included."""
        if not self.by(DEV).get(f"requests/{request}/")["promotions"]:
            wait_for(
                f"The gate for {bundle} to {stage}",
                lambda: self.by(MONA).get(f"requests/{request}/gate/")["met"],
            )
            self._once(
                lambda: self.by(DEV).get(f"requests/{request}/")["promotions"],
                lambda: self.by(MONA).post(f"requests/{request}/promote/"),
            )
        self._ends(request, bundle, stage, end)

    def _ends(self, request: int, bundle: str, stage: str, end: str) -> None:
        """Wait for the end of a promotion that somebody started, or that starts by itself; rollback included."""
        found = wait_for(
            f"The end of the promotion of {bundle} to {stage}", lambda: self._state(request), 180
        )
        state = "held" if found["held"] else found["status"]
        if state != end:
            raise Changed(f"{bundle} to {stage} was to end {end}, but is {state}. {found['held']}".strip())

    def _collect(self, bundle: str) -> None:
        """Fairness and explainability are counted, and the model document generated, on QA."""
        for what in ("fairness", "explainability", "model-documentation"):
            self._collect_one(bundle, what)

    def _collect_one(self, bundle: str, what: str, project: str = PROJECT) -> None:
        dev, path = self.by(DEV), f"projects/{project}/bundles/{bundle}/collections/"

        def latest() -> Any:
            return next((c for c in dev.every(path) if c["what"] == what), None)

        def over() -> Any:
            found = latest()
            return found if found and found["status"] != "asked" else None

        self._once(latest, lambda: dev.post(path, stage="qa", what=what))
        done = wait_for(f"{what} of {bundle}", over)
        if done["status"] != "done":
            raise DemoFailed(f"{what} of {bundle} could not be collected: {done['problem']}")

    def _write_purpose(self, bundle: str) -> None:
        olga = self.by(OLGA)
        path = f"projects/{PROJECT}/bundles/{bundle}/documents/"
        self._once(
            lambda: any(d["kind"] == "intended-use" for d in olga.every(path)),
            lambda: olga.post(path, kind="intended-use", title="Intended use", text=cast.INTENDED_USE),
        )

    def _sign_all(self, request: int, bundle: str) -> None:
        for role, player in SIGNERS.items():
            self._sign_once(request, bundle, role, player)
        self.says("Signed by " + ", ".join(player.name for player in SIGNERS.values()) + ".")

    def _sign_once(self, request: int, bundle: str, role: str, player: Player) -> None:
        def signed() -> bool:
            rows = self.by(DEV).every(f"projects/{PROJECT}/bundles/{bundle}/signoffs/")
            return any(s["role"] == role and s["person"]["login"] == player.login for s in rows)

        self._once(signed, lambda: self._sign(request, role, player))

    def _sign(self, request: int, role: str, player: Player) -> None:
        """Read what is to be signed, then sign exactly that, with the password."""
        signer = self.by(player)
        shown = signer.get(f"requests/{request}/signing/", requirement=f"sign_off:{role}")
        signer.post(
            f"requests/{request}/signoffs/",
            requirement=f"sign_off:{role}",
            decision="approve",
            password=PASSWORD,
            bound=shown["bound"],
            comment="",
        )

    def _finding(self, request: int, key: str) -> Any:
        gate = self.by(DEV).get(f"requests/{request}/gate/")
        return next(f for f in gate["findings"] if f["key"] == key)

    def _running(self, stage: str) -> Any:
        lanes = self.by(DEV).get(f"projects/{PROJECT}/")["lanes"]
        return next(lane["running"] for lane in lanes if lane["stage"] == stage)

    def report(self, request: int) -> int:
        """The number of the latest report on a request, made if there is none."""
        nora = self.by(NORA)

        def latest() -> Any:
            found = nora.get(f"requests/{request}/")["reports"]
            return found[0] if found else None

        def over() -> Any:
            found = latest()
            return found if found and found["status"] != "asked" else None

        self._once(latest, lambda: nora.post(f"requests/{request}/reports/"))
        done = wait_for("The report", over)
        if done["status"] != "made":
            raise DemoFailed(f"The report could not be made: {done['problem']}")
        return int(done["id"])


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def _name(found: Mapping[str, str] | None, field: str) -> str:
    return found[field] if found else ""
