"""SCIM 2.0 (RFC 7643 and 7644) at /scim/v2/: Users and Groups for a directory, by a service account's token.

scim2-models holds the protocol: shapes, patches, filters, errors. Kept of a user: userName, displayName, emails (one),
timezone, active, externalId; what else is sent is passed over. Not in charge of what it means:
portal/actions/provisioning.py.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from pydantic import Field, ValidationError
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Context,
    Error,
    ETag,
    Filter,
    Group,
    GroupMember,
    ListResponse,
    Meta,
    Patch,
    PatchOp,
    Required,
    Resource,
    ResourceType,
    ResponseParameters,
    Schema,
    SCIMException,
    ScimFilter,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models.path.expressions import Comparison
from scim2_models.resources.user import Email

from portal.actions import provisioning
from portal.actions.people import person_of_token
from portal.errors import Refused
from portal.models import DirectoryGroup, Identity, Person
from portal.models.identity import Source

MEDIA_TYPE = "application/scim+json"
PAGE = 100
PAGE_MOST = 200
TAKEN = frozenset({"login_taken", "group_taken", "external_id_taken"})


class User(Resource[Any]):
    """What is kept of a user, in SCIM's words."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    """The login."""

    display_name: str | None = None
    """The name as it is printed."""

    emails: list[Email] | None = None
    """One address."""

    timezone: str | None = Field(None, examples=["UTC", "Europe/Paris", "America/New_York", "Asia/Tokyo"])
    """An IANA time zone."""

    active: bool | None = None
    """Whether the person may get in."""


# --- the frame --------------------------------------------------------------------------------------------------------


class _Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(detail)
        self.error = Error(status=status, detail=detail, scim_type=scim_type)


@method_decorator([csrf_exempt, login_not_required], name="dispatch")
class Scim(View):
    """An endpoint: a token of a service account with the right to provision, and errors in SCIM's own shape."""

    by: Person

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Find out who asks, then answer, whatever happens, in SCIM."""
        try:
            self.by = _asking(request)
            return cast(HttpResponse, super().dispatch(request, *args, **kwargs))
        except _Refusal as refusal:
            answer = _error(refusal.error)
            if answer.status_code == 401:
                answer["WWW-Authenticate"] = 'Bearer realm="countersign"'
            return answer
        except ValidationError as error:
            return _error(Error.from_validation_errors(error)[0])
        except SCIMException as error:
            return _error(error.to_error())
        except Refused as refusal:
            status, kind = refusal.status, "invalidValue" if refusal.status == 400 else None
            if refusal.code in TAKEN:
                status, kind = 409, "uniqueness"
            return _error(Error(status=status, detail=refusal.sentence, scim_type=kind))

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = _error(Error(status=405, detail="This endpoint does not know this method."))
        answer["Allow"] = ", ".join(name.upper() for name in self.http_method_names if hasattr(self, name))
        return answer


def _asking(request: HttpRequest) -> Person:
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    person = person_of_token(secret.strip()) if scheme.lower() == "bearer" else None
    if person is None:
        raise _Refusal(401, "Send the token of a service account: “Authorization: Bearer csn_…”.")
    provisioning.check(person)
    return person


def _error(error: Error) -> HttpResponse:
    return HttpResponse(error.model_dump_json(), status=int(error.status or 400), content_type=MEDIA_TYPE)


def _answer(
    request: HttpRequest, resource: Any, context: Context, status: int = 200, *, what: Any = None
) -> HttpResponse:
    parameters = None
    if what is not None:
        asked = {
            name: request.GET[name] for name in ("attributes", "excludedAttributes") if request.GET.get(name)
        }
        parameters = ResponseParameters[what].model_validate(asked) if asked else None
    body = resource.model_dump_json(scim_ctx=context, response_parameters=parameters)
    answer = HttpResponse(body, status=status, content_type=MEDIA_TYPE)
    if getattr(resource, "meta", None) and resource.meta.location:
        answer["Location"] = resource.meta.location
    return answer


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _Refusal(400, "The body has to be a JSON object.", "invalidSyntax")
    return found


def _kept(model: type[Resource[Any]], sent: dict[str, Any]) -> dict[str, Any]:
    """What was sent, without the attributes that are not kept here."""
    known = {"schemas", "id", "externalid", "meta"} | {
        name.replace("_", "").lower() for name in model.model_fields
    }
    return {key: value for key, value in sent.items() if key.lower() in known}


def _read(model: type[Any], sent: dict[str, Any], context: Context) -> Any:
    return model.model_validate({**_kept(model, sent), "schemas": [str(model.__schema__)]}, scim_ctx=context)


def _patched(request: HttpRequest, model: type[Any], resource: Any) -> Any:
    """The resource with the operations applied to it; those on attributes that are not kept are passed over."""
    sent = _body(request)
    names = {name.replace("_", "").lower() for name in model.model_fields}
    operations = sent.get("Operations")
    if isinstance(operations, list):
        sent = {**sent, "Operations": [one for one in (_part(op, model, names) for op in operations) if one]}
        if operations and not sent["Operations"]:
            return resource
    patch = PatchOp[model].model_validate(  # type: ignore[valid-type]
        sent, scim_ctx=Context.RESOURCE_PATCH_REQUEST
    )
    patch.patch(resource)
    return resource


def _part(operation: Any, model: type[Any], names: set[str]) -> Any:
    if not isinstance(operation, dict):
        return operation
    path = operation.get("path")
    if isinstance(path, str) and path:
        bare = path.removeprefix(f"{model.__schema__}:")
        head = bare.split(".")[0].split("[")[0].lower()
        other = bare.lower().startswith("urn:") or head not in names
        value = operation.get("value")
        if head == "active" and isinstance(value, str) and value.lower() in ("true", "false"):
            return {**operation, "value": value.lower() == "true"}  # as Entra ID sends it
        return None if other else operation
    value = operation.get("value")
    if isinstance(value, dict):
        kept = _kept(model, value)
        return {**operation, "value": kept} if kept else None
    return operation


def _page(
    request: HttpRequest, model: type[Any], found: "QuerySet[Any, Any]", shown: Callable[[Any], Any]
) -> HttpResponse:
    start = max(1, _number(request, "startIndex", 1))
    count = min(PAGE_MOST, max(0, _number(request, "count", PAGE)))
    rows = [shown(row) for row in found[start - 1 : start - 1 + count]]
    listed = ListResponse[model](  # type: ignore[valid-type]
        total_results=found.count(), start_index=start, items_per_page=len(rows), resources=rows
    )
    return _answer(request, listed, Context.RESOURCE_QUERY_RESPONSE, what=model)


def _number(request: HttpRequest, name: str, default: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return default
    try:
        return max(-(10**9), min(10**9, int(text)))
    except ValueError:
        raise _Refusal(400, f"{name} has to be a whole number.", "invalidValue") from None


def _wanted(request: HttpRequest, model: type[Any], columns: dict[str, str]) -> dict[str, str]:
    """The condition of a filter such as `userName eq "dev"`, as a column and its value."""
    text = request.GET.get("filter", "")
    if not text:
        return {}
    found = ScimFilter[model](text).ast  # type: ignore[valid-type]
    if isinstance(found, Comparison) and str(found.op).lower() == "eq" and isinstance(found.value, str):
        name = str(found.attr_path).lower().removeprefix(f"{model.__schema__}:".lower())
        if name in columns:
            return {columns[name]: found.value}
    raise _Refusal(400, f"Filters are one “eq” on {', '.join(sorted(columns))}.", "invalidFilter")


# --- users ------------------------------------------------------------------------------------------------------------


def _user(request: HttpRequest, person: Person) -> User:
    known = next(one for one in person.identities.all() if one.provider == Source.SCIM)
    return User(
        id=str(person.pk),
        external_id=known.subject if known.subject != str(person.pk) else None,
        user_name=person.login,
        display_name=person.name,
        emails=[Email(value=person.email, type=Email.Type.work, primary=True)] if person.email else None,
        timezone=person.zone,
        active=person.is_active,
        meta=Meta(
            resource_type="User",
            created=person.joined_at,
            last_modified=person.joined_at,
            location=request.build_absolute_uri(f"/scim/v2/Users/{person.pk}"),
        ),
    )


def _wish(user: User, sent: dict[str, Any] | None = None) -> provisioning.Wish:
    """What the directory wants, from a whole user; a name in parts stands in for a printed one."""
    name = user.display_name or ""
    parts = (sent or {}).get("name")
    if not name and isinstance(parts, dict):
        both = " ".join(str(parts.get(key) or "") for key in ("givenName", "familyName")).strip()
        name = str(parts.get("formatted") or both)
    emails = sorted(user.emails or [], key=lambda one: not one.primary)
    return provisioning.Wish(
        login=user.user_name or "",
        name=name or user.user_name or "",
        email=str(emails[0].value or "") if emails else "",
        zone=user.timezone or "UTC",
        active=user.active is not False,
        external_id=user.external_id or "",
    )


def _people() -> QuerySet[Person]:
    return provisioning.brought().prefetch_related(
        Prefetch("identities", Identity.objects.filter(provider=Source.SCIM))
    )


def _person(pk: str) -> Person:
    person = _people().filter(pk=pk).first() if _is_uuid(pk) else None
    if person is None:
        raise _Refusal(404, f"There is no user {pk[:60]}.")
    return person


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class Users(Scim):
    """The people this directory brought."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of them; `filter` by one of three attributes."""
        columns = {
            "username": "login__iexact",
            "externalid": "identities__subject",
            "displayname": "name__iexact",
            "id": "pk",
        }
        wanted = _wanted(request, User, columns)
        found = _people().order_by("joined_at", "pk")
        if "pk" in wanted and not _is_uuid(wanted["pk"]):
            found = found.none()
        elif "identities__subject" in wanted:
            found = found.filter(
                identities__provider=Source.SCIM, identities__subject=wanted["identities__subject"]
            )
        else:
            found = found.filter(**wanted)
        return _page(request, User, found, lambda person: _user(request, person))

    def post(self, request: HttpRequest) -> HttpResponse:
        """A joiner."""
        sent = _body(request)
        user = _read(User, sent, Context.RESOURCE_CREATION_REQUEST)
        person = provisioning.add_person(by=self.by, wish=_wish(user, sent))
        made = _user(request, _person(str(person.pk)))
        return _answer(request, made, Context.RESOURCE_CREATION_RESPONSE, 201, what=User)


class OneUser(Scim):
    """One person this directory brought."""

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        """As they are."""
        return _answer(request, _user(request, _person(pk)), Context.RESOURCE_QUERY_RESPONSE, what=User)

    def put(self, request: HttpRequest, pk: str) -> HttpResponse:
        """As they are to be."""
        person, sent = _person(pk), _body(request)
        user = _read(User, sent, Context.RESOURCE_REPLACEMENT_REQUEST)
        provisioning.change_person(by=self.by, person=person, wish=_wish(user, sent))
        return _answer(request, _user(request, _person(pk)), Context.RESOURCE_REPLACEMENT_RESPONSE, what=User)

    def patch(self, request: HttpRequest, pk: str) -> HttpResponse:
        """A mover, or, with `active` false, a leaver."""
        person = _person(pk)
        user = _patched(request, User, _user(request, person))
        provisioning.change_person(by=self.by, person=person, wish=_wish(user))
        return _answer(request, _user(request, _person(pk)), Context.RESOURCE_PATCH_RESPONSE, what=User)

    def delete(self, request: HttpRequest, pk: str) -> HttpResponse:
        """A leaver whom the directory forgets. The account is shut; what it did stays."""
        provisioning.drop_person(by=self.by, person=_person(pk))
        return HttpResponse(status=204)


# --- groups -----------------------------------------------------------------------------------------------------------


def _group(request: HttpRequest, group: DirectoryGroup) -> Group:
    return Group(
        id=str(group.pk),
        external_id=group.external_id or None,
        display_name=group.name,
        members=[
            GroupMember(
                value=str(person.pk),
                display=person.name,
                type="User",
                ref=cast(Any, request.build_absolute_uri(f"/scim/v2/Users/{person.pk}")),
            )
            for person in group.members.all()
        ]
        or None,
        meta=Meta(
            resource_type="Group",
            created=group.made_at,
            last_modified=group.changed_at,
            location=request.build_absolute_uri(f"/scim/v2/Groups/{group.pk}"),
        ),
    )


def _groups() -> QuerySet[DirectoryGroup]:
    return DirectoryGroup.objects.prefetch_related(Prefetch("members", Person.objects.order_by("pk")))


def _one_group(pk: str) -> DirectoryGroup:
    group = _groups().filter(pk=pk).first() if pk.isdecimal() and len(pk) < 19 else None
    if group is None:
        raise _Refusal(404, f"There is no group {pk[:60]}.")
    return group


def _members(group: Group) -> list[Person]:
    wanted = {str(one.value) for one in group.members or []}
    found = {
        str(person.pk): person
        for person in provisioning.brought().filter(pk__in=[one for one in wanted if _is_uuid(one)])
    }
    if unknown := sorted(wanted - found.keys()):
        raise _Refusal(400, f"There is no user {unknown[0][:60]}; bring them first.", "invalidValue")
    return list(found.values())


class Groups(Scim):
    """The groups this directory sent."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of them; `filter` by one of two attributes."""
        columns = {"displayname": "name__iexact", "externalid": "external_id", "id": "pk"}
        wanted = _wanted(request, Group, columns)
        found = _groups().order_by("pk")
        odd = "pk" in wanted and not wanted["pk"].isdecimal()
        found = found.none() if odd else found.filter(**wanted)
        return _page(request, Group, found, lambda group: _group(request, group))

    def post(self, request: HttpRequest) -> HttpResponse:
        """A new one. It gives nothing before an administrator maps it."""
        asked = _read(Group, _body(request), Context.RESOURCE_CREATION_REQUEST)
        made = provisioning.put_group(
            by=self.by,
            name=asked.display_name or "",
            external_id=asked.external_id or "",
            members=_members(asked),
        )
        shown = _group(request, _one_group(str(made.pk)))
        return _answer(request, shown, Context.RESOURCE_CREATION_RESPONSE, 201, what=Group)


class OneGroup(Scim):
    """One group this directory sent."""

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        """As it is."""
        return _answer(request, _group(request, _one_group(pk)), Context.RESOURCE_QUERY_RESPONSE, what=Group)

    def put(self, request: HttpRequest, pk: str) -> HttpResponse:
        """As it is to be."""
        group = _one_group(pk)
        asked = _read(Group, _body(request), Context.RESOURCE_REPLACEMENT_REQUEST)
        return self._put(request, group, asked, Context.RESOURCE_REPLACEMENT_RESPONSE)

    def patch(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Members who joined and left, another name."""
        group = _one_group(pk)
        asked = _patched(request, Group, _group(request, group))
        return self._put(request, group, asked, Context.RESOURCE_PATCH_RESPONSE)

    def delete(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The end of a group, and of the memberships that came from it."""
        provisioning.drop_group(by=self.by, group=_one_group(pk))
        return HttpResponse(status=204)

    def _put(self, request: HttpRequest, group: DirectoryGroup, asked: Any, context: Context) -> HttpResponse:
        provisioning.put_group(
            by=self.by,
            group=group,
            name=asked.display_name or "",
            external_id=asked.external_id or "",
            members=_members(asked),
        )
        return _answer(request, _group(request, _one_group(str(group.pk))), context, what=Group)


# --- what there is ----------------------------------------------------------------------------------------------------


class Config(Scim):
    """What this service can do."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Patches and filters; no bulk, no sorting, no passwords."""
        config = ServiceProviderConfig(
            patch=Patch(supported=True),
            bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
            filter=Filter(supported=True, max_results=PAGE_MOST),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=False),
            etag=ETag(supported=False),
            authentication_schemes=[
                AuthenticationScheme(
                    type=AuthenticationScheme.Type.oauthbearertoken,
                    name="Token of a service account",
                    description="Authorization: Bearer csn_…",
                    primary=True,
                )
            ],
            meta=Meta(
                resource_type="ServiceProviderConfig",
                location=request.build_absolute_uri("/scim/v2/ServiceProviderConfig"),
            ),
        )
        return _answer(request, config, Context.RESOURCE_QUERY_RESPONSE)


class Schemas(Scim):
    """The shapes of what is kept."""

    def get(self, request: HttpRequest, pk: str = "") -> HttpResponse:
        """All of them, or one by its URN."""
        found = [_described(request, model.to_schema(), "Schemas") for model in (User, Group)]
        return _discovered(request, Schema, found, pk)


class ResourceTypes(Scim):
    """What can be asked for."""

    def get(self, request: HttpRequest, pk: str = "") -> HttpResponse:
        """All of them, or one by its name."""
        found = [
            _described(request, ResourceType.from_resource(model), "ResourceTypes") for model in (User, Group)
        ]
        return _discovered(request, ResourceType, found, pk)


class Nowhere(Scim):
    """What leads nowhere, for whoever may ask."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Not found, in SCIM, whatever the method."""
        raise _Refusal(404, "There is no such endpoint.")


def _described(request: HttpRequest, found: Any, where: str) -> Any:
    found.meta = Meta(
        resource_type=type(found).__name__,
        location=request.build_absolute_uri(f"/scim/v2/{where}/{found.id}"),
    )
    return found


def _discovered(request: HttpRequest, model: type[Any], found: list[Any], pk: str) -> HttpResponse:
    if request.GET.get("filter"):
        raise _Refusal(403, "These are not filtered.")
    if pk:
        one = next((each for each in found if each.id == pk), None)
        if one is None:
            raise _Refusal(404, f"There is no {pk[:60]}.")
        return _answer(request, one, Context.RESOURCE_QUERY_RESPONSE)
    listed = ListResponse[model](  # type: ignore[valid-type]
        total_results=len(found), start_index=1, items_per_page=len(found), resources=found
    )
    return _answer(request, listed, Context.RESOURCE_QUERY_RESPONSE)
