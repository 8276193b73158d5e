"""The Django admin: for superusers, to look. Whatever the ledger protects is changed by actions only, never here."""

from typing import TYPE_CHECKING, Any

# These register models that are taken back below.
import allauth.account.admin
import allauth.socialaccount.admin  # noqa: F401
import django.contrib.auth.admin  # noqa: F401
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.doors import SignOut
from portal.models import (
    Bundle,
    Change,
    Checkpoint,
    Content,
    Counterpart,
    Delegation,
    DirectoryGroup,
    Disclosure,
    Event,
    Factor,
    Grant,
    GroupMapping,
    Identity,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Membership,
    Node,
    Notification,
    PasswordReset,
    Person,
    Pipeline,
    Place,
    Portfolio,
    Project,
    RecoveryCode,
    Session,
    Stage,
    Team,
    Token,
    Tries,
)

if TYPE_CHECKING:  # generic for the type checker only
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class Look(_ModelAdmin):
    """Shows and never changes: no adding, changing or deleting, whatever rights somebody holds."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers may look."""
        return bool(request.user.is_active and request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers may look."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes here."""
        return False


@admin.register(Person)
class PersonLook(Look):
    """People, without even the hash of their password."""

    list_display = ("name", "login", "kind", "is_active", "is_superuser")
    search_fields = ("name", "login")
    list_filter = ("kind", "is_active")
    exclude = ("password", "user_permissions")


@admin.register(Token)
class TokenLook(Look):
    """API tokens, without their hash."""

    list_display = ("prefix", "person", "name", "made_at", "expires_at", "revoked_at")
    exclude = ("hashed",)


@admin.register(Session)
class SessionLook(Look):
    """Where people are signed in, without what lets anybody in."""

    list_display = ("person", "method", "browser", "begun_at", "seen_at", "expires_at")
    list_select_related = ("person",)
    exclude = ("hashed", "data")


@admin.register(PasswordReset)
class PasswordResetLook(Look):
    """Codes for new passwords, without their hash."""

    list_display = ("person", "made_by", "made_at", "expires_at", "used_at")
    list_select_related = ("person", "made_by")
    exclude = ("hashed",)


@admin.register(Factor)
class FactorLook(Look):
    """Second factors, without their secrets."""

    list_display = ("person", "kind", "name", "made_at", "used_at")
    list_select_related = ("person",)
    exclude = ("secret", "credential", "credential_id", "counter")


@admin.register(RecoveryCode)
class RecoveryCodeLook(Look):
    """Recovery codes, without their digests."""

    list_display = ("person", "made_at", "used_at")
    list_select_related = ("person",)
    exclude = ("hashed",)


@admin.register(Grant)
class GrantLook(Look):
    """Grants: the truth about who may do what."""

    list_display = (
        "codename",
        "person",
        "team",
        "project",
        "portfolio",
        "stage",
        "until",
        "given_by",
        "revoked_at",
    )
    list_select_related = ("person", "team", "project", "portfolio", "given_by")


@admin.register(Event)
class EventLook(Look):
    """The ledger's rows."""

    list_display = ("seq", "kind", "project", "subject", "at")
    list_filter = ("kind",)
    ordering = ("-seq",)
    exclude = ("body", "leaf")


@admin.register(Content)
class ContentLook(Look):
    """The content store, without the bytes."""

    list_display = ("digest", "media_type", "size", "stored_at")
    exclude = ("body",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Without the bytes: a page of archives is not to be loaded."""
        return super().get_queryset(request).defer("body")


@admin.register(Checkpoint)
class CheckpointLook(Look):
    """Signed checkpoints."""

    list_display = ("size", "at")
    exclude = ("root",)


@admin.register(Bundle)
class BundleLook(Look):
    """Bundles."""

    list_display = ("bundle_id", "project", "status", "registered_at")
    list_select_related = ("project",)
    raw_id_fields = ("manifest",)


for model in (
    Change,
    Counterpart,
    Delegation,
    DirectoryGroup,
    Disclosure,
    GroupMapping,
    Identity,
    Lane,
    LaneGroupObjectPermission,
    LaneUserObjectPermission,
    Membership,
    Node,
    Notification,
    Pipeline,
    Place,
    Portfolio,
    Project,
    Stage,
    Team,
    Tries,
):
    admin.site.register(model, Look)
admin.site.unregister(Group)
# allauth's own tables stay empty: providers are named in the settings, and nobody is known by an e-mail.
for theirs in list(admin.site._registry):
    if theirs._meta.app_label in ("account", "socialaccount"):
        admin.site.unregister(theirs)


def _sign_in(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """The admin has no door of its own: who comes here has signed in where everybody does, and that is recorded."""
    if not admin.site.has_permission(request):
        raise Http404
    return redirect("admin:index")


def _no_password_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """A password binds signatures, so it is not changed in passing."""
    raise Http404


# Whoever leaves leaves by the door where it is written down.
admin.site.logout = SignOut.as_view()  # type: ignore[method-assign,assignment]
admin.site.login = _sign_in  # type: ignore[method-assign]
admin.site.password_change = _no_password_here  # type: ignore[method-assign,assignment]
admin.site.password_change_done = _no_password_here  # type: ignore[method-assign,assignment]
