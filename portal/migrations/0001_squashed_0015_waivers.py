"""All tables of the portal at once, for a new database; one that has some of them goes by the migrations it replaces.

The ledger, its checkpoints, its disclosures and the content store refuse to be rewritten. On SQLite a later migration
that rebuilds one of these tables drops its triggers: it has to take them away first and install them again after.
"""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portal.models.person
from portal.protection import install_sql, remove_sql

PROTECTED = {
    "portal_event": {"key": ("seq",)},
    "portal_checkpoint": {"key": ("id",)},
    "portal_content": {"key": ("digest",), "repeatable": True},
    "portal_disclosure": {"key": ("event_id", "path"), "deletable": True},
}


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for table, how in PROTECTED.items():
        for statement in install_sql(vendor, table, **how):
            schema_editor.execute(statement, params=None)


def remove(apps, schema_editor):
    for table in PROTECTED:
        for statement in remove_sql(schema_editor.connection.vendor, table):
            schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    replaces = [
        ('portal', '0001_initial'),
        ('portal', '0002_ledger_triggers'),
        ('portal', '0003_scopes'),
        ('portal', '0004_change'),
        ('portal', '0005_seen'),
        ('portal', '0006_identity'),
        ('portal', '0007_people'),
        ('portal', '0008_directories'),
        ('portal', '0009_provision'),
        ('portal', '0010_cooling_off'),
        ('portal', '0011_review'),
        ('portal', '0012_notification'),
        ('portal', '0013_score_column'),
        ('portal', '0014_kept_in'),
        ('portal', '0015_waivers'),
    ]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField(max_length=32)),
                ('note', models.TextField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'checkpoint',
                'verbose_name_plural': 'checkpoints',
                'ordering': ('-size', '-id'),
            },
        ),
        migrations.CreateModel(
            name='Content',
            fields=[
                ('digest', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('media_type', models.CharField(max_length=150)),
                ('size', models.BigIntegerField()),
                ('body', models.BinaryField(help_text='empty where a storage holds the bytes')),
                ('kept_in', models.CharField(blank=True, default='', help_text='the storage that holds the bytes; empty: this row', max_length=20)),
                ('stored_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name': 'content',
                'verbose_name_plural': 'contents',
            },
        ),
        migrations.CreateModel(
            name='Node',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=150)),
                ('kind', models.CharField(choices=[('design', 'design node'), ('deployer', 'Deployer'), ('automation', 'Automation node'), ('api', 'API node'), ('govern', 'Govern node')], max_length=12)),
                ('url', models.URLField()),
                ('key_name', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9_.-]+$', 'Use letters, digits, “_”, “.” and “-” only.')])),
                ('verify_tls', models.BooleanField(default=True)),
            ],
            options={
                'verbose_name': 'node',
                'verbose_name_plural': 'nodes',
                'ordering': ('slug',),
            },
        ),
        migrations.CreateModel(
            name='Tries',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('count', models.PositiveIntegerField(default=0)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name': 'failed tries',
                'verbose_name_plural': 'failed tries',
            },
        ),
        migrations.CreateModel(
            name='Person',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('login', models.CharField(max_length=150, unique=True, verbose_name='login')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='e-mail')),
                ('zone', models.CharField(default='UTC', max_length=64, validators=[portal.models.person.check_zone], verbose_name='time zone')),
                ('kind', models.CharField(choices=[('person', 'person'), ('service', 'service account'), ('system', 'system')], default='person', max_length=10)),
                ('is_active', models.BooleanField(default=True)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'person',
                'verbose_name_plural': 'people',
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='DirectoryGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255, unique=True)),
                ('external_id', models.CharField(blank=True, max_length=255)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('members', models.ManyToManyField(blank=True, related_name='directory_groups', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'directory group',
                'verbose_name_plural': 'directory groups',
                'ordering': ('pk',),
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('leaf', models.BinaryField(max_length=32)),
                ('body', models.BinaryField()),
                ('kind', models.CharField(db_index=True, max_length=60)),
                ('project', models.CharField(blank=True, max_length=100)),
                ('subject', models.CharField(max_length=120)),
                ('actor', models.UUIDField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'event',
                'verbose_name_plural': 'events',
                'ordering': ('seq',),
                'indexes': [models.Index(fields=['project', 'seq'], name='event_project_seq'), models.Index(fields=['subject', 'seq'], name='event_subject_seq')],
            },
        ),
        migrations.CreateModel(
            name='LedgerHead',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('size', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='ledger_has_one_head')],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hashed', models.CharField(max_length=64)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'recovery code',
                'verbose_name_plural': 'recovery codes',
                'constraints': [models.UniqueConstraint(fields=('person', 'hashed'), name='recovery_code_once'), models.CheckConstraint(condition=models.Q(('hashed__regex', '^[0-9a-f]{64}$')), name='recovery_code_is_hashed')],
            },
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hashed', models.CharField(max_length=64, unique=True)),
                ('data', models.TextField()),
                ('method', models.CharField(blank=True, help_text='how they signed in', max_length=20)),
                ('address', models.CharField(blank=True, max_length=45)),
                ('browser', models.CharField(blank=True, max_length=100)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'ordering': ('-seen_at',),
                'constraints': [models.CheckConstraint(condition=models.Q(('hashed__regex', '^[0-9a-f]{64}$')), name='session_is_hashed')],
            },
        ),
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=150)),
                ('requires_second_factor', models.BooleanField(default=False)),
                ('group', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='team', to='auth.group')),
            ],
            options={
                'verbose_name': 'team',
                'verbose_name_plural': 'teams',
                'ordering': ('name',),
            },
        ),
        migrations.CreateModel(
            name='Pipeline',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=150)),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='pipelines', to='portal.team')),
            ],
            options={
                'verbose_name': 'pipeline',
                'verbose_name_plural': 'pipelines',
                'ordering': ('slug',),
            },
        ),
        migrations.CreateModel(
            name='Project',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9_.-]+$', 'DSS ids here hold letters, digits, “_”, “.” and “-” only.')])),
                ('name', models.CharField(max_length=200)),
                ('policy', models.SlugField(default='standard', help_text='name of the policy whose newest version applies')),
                ('tier', models.SlugField(help_text='which rules of the policy apply')),
                ('dss_owner', models.CharField(blank=True, help_text='login of the owner in DSS', max_length=150)),
                ('scored_dataset', models.CharField(blank=True, max_length=100)),
                ('outcome_column', models.CharField(blank=True, max_length=100)),
                ('favourable_value', models.CharField(blank=True, max_length=100)),
                ('label_column', models.CharField(blank=True, max_length=100)),
                ('score_column', models.CharField(blank=True, help_text='the predicted probability of the favourable outcome', max_length=100)),
                ('model_id', models.CharField(blank=True, max_length=100)),
                ('imported_at', models.DateTimeField(auto_now_add=True)),
                ('node', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='projects', to='portal.node')),
                ('owners', models.ManyToManyField(blank=True, related_name='owned_projects', to=settings.AUTH_USER_MODEL)),
                ('pipeline', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='projects', to='portal.pipeline')),
                ('team', models.ForeignKey(blank=True, help_text="whose project it is; a pipeline that a team owns takes that team's projects only", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='projects', to='portal.team')),
            ],
            options={
                'verbose_name': 'project',
                'verbose_name_plural': 'projects',
                'ordering': ('key',),
            },
        ),
        migrations.CreateModel(
            name='Portfolio',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=150)),
                ('projects', models.ManyToManyField(blank=True, related_name='portfolios', to='portal.project')),
            ],
            options={
                'verbose_name': 'portfolio',
                'verbose_name_plural': 'portfolios',
                'ordering': ('slug',),
            },
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('rights', 'rights'), ('policy', 'policy'), ('tier', 'tier'), ('estate', 'estate'), ('groups', 'groups'), ('absence', 'standing in')], max_length=8)),
                ('wish', models.JSONField()),
                ('basis', models.JSONField()),
                ('why', models.CharField(max_length=500)),
                ('status', models.CharField(choices=[('waiting', 'waiting'), ('applied', 'applied'), ('refused', 'refused'), ('withdrawn', 'withdrawn'), ('outdated', 'outdated')], default='waiting', max_length=9)),
                ('alone', models.BooleanField(default=False)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('answer', models.CharField(blank=True, help_text='why it was refused or withdrawn', max_length=500)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('portfolio', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='portal.portfolio')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='portal.project')),
            ],
            options={
                'verbose_name': 'change',
                'verbose_name_plural': 'changes',
                'ordering': ('-pk',),
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by__isnull', True)), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False)), _connector='OR'), name='change_decided_paired'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('status', 'waiting')), models.Q(models.Q(('status', 'waiting'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='change_decided_when_over'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'applied'), _negated=True), ('alone', True), models.Q(('decided_by', models.F('asked_by')), _negated=True), _connector='OR'), name='change_applied_by_another'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'tier'), _negated=True), ('alone', False), _connector='OR'), name='change_of_tier_never_alone'), models.CheckConstraint(condition=models.Q(('project__isnull', True), ('portfolio__isnull', True), _connector='OR'), name='change_in_one_place')],
            },
        ),
        migrations.CreateModel(
            name='Bundle',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('bundle_id', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9_.-]+$', 'DSS ids here hold letters, digits, “_”, “.” and “-” only.')])),
                ('origin', models.CharField(choices=[('exported', 'exported by the portal'), ('picked', 'picked from the design node')], max_length=10)),
                ('notes', models.TextField(blank=True)),
                ('status', models.CharField(choices=[('asked', 'being registered'), ('registered', 'registered'), ('failed', 'could not be registered')], default='asked', max_length=12)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('registered_at', models.DateTimeField(blank=True, null=True)),
                ('problem', models.TextField(blank=True, help_text='why it could not be registered')),
                ('author_in_dss', models.CharField(blank=True, max_length=150)),
                ('archive', models.CharField(blank=True, help_text='SHA-256 of the exported archive', max_length=64)),
                ('size', models.BigIntegerField(default=0)),
                ('members', models.PositiveIntegerField(default=0)),
                ('parts', models.JSONField(default=dict)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('manifest', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='bundles', to='portal.project')),
            ],
            options={
                'verbose_name': 'bundle',
                'verbose_name_plural': 'bundles',
                'ordering': ('-asked_at',),
                'constraints': [models.UniqueConstraint(fields=('project', 'bundle_id'), name='bundle_once_per_project'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'registered'), _negated=True), models.Q(('archive__regex', '^[0-9a-f]{64}$'), ('manifest__isnull', False), ('registered_at__isnull', False)), _connector='OR'), name='bundle_registered_has_digest')],
            },
        ),
        migrations.CreateModel(
            name='Stage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField()),
                ('name', models.CharField(max_length=100)),
                ('position', models.PositiveSmallIntegerField()),
                ('pipeline', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stages', to='portal.pipeline')),
            ],
            options={
                'verbose_name': 'stage',
                'verbose_name_plural': 'stages',
                'ordering': ('pipeline', 'position'),
                'constraints': [models.UniqueConstraint(fields=('pipeline', 'slug'), name='stage_slug_once_in_pipeline'), models.UniqueConstraint(fields=('pipeline', 'position'), name='stage_position_once_in_pipeline')],
            },
        ),
        migrations.CreateModel(
            name='Place',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField()),
                ('kind', models.CharField(choices=[('infrastructure', 'Deployer infrastructure')], default='infrastructure', max_length=16)),
                ('infra_id', models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9_.-]+$', 'DSS ids here hold letters, digits, “_”, “.” and “-” only.')])),
                ('automation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.node')),
                ('deployer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.node')),
                ('stage', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='places', to='portal.stage')),
            ],
            options={
                'verbose_name': 'place',
                'verbose_name_plural': 'places',
                'ordering': ('stage', 'slug'),
                'constraints': [models.UniqueConstraint(fields=('stage', 'slug'), name='place_slug_once_in_stage')],
            },
        ),
        migrations.CreateModel(
            name='Lane',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lanes', to='portal.project')),
                ('stage', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lanes', to='portal.stage')),
            ],
            options={
                'verbose_name': 'lane',
                'verbose_name_plural': 'lanes',
                'ordering': ('project', 'stage__position'),
                'permissions': (('view', 'view'), ('request', 'request'), ('promote', 'promote'), ('roll_back', 'roll back'), ('waive', 'waive'), ('manage', 'manage'), ('audit', 'audit'), ('break_glass', 'break glass'), ('override_freeze', 'override a freeze')),
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('project', 'stage'), name='lane_once')],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(choices=[('local', 'given by hand'), ('oidc', 'OIDC'), ('saml', 'SAML'), ('scim', 'SCIM')], default='local', max_length=10)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='portal.team')),
            ],
            options={
                'verbose_name': 'membership',
                'verbose_name_plural': 'memberships',
                'ordering': ('pk',),
                'constraints': [models.UniqueConstraint(fields=('person', 'team', 'source'), name='membership_once_a_source')],
            },
        ),
        migrations.CreateModel(
            name='GroupMapping',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(choices=[('local', 'given by hand'), ('oidc', 'OIDC'), ('saml', 'SAML'), ('scim', 'SCIM')], max_length=10)),
                ('group', models.CharField(help_text="the group's name, letter by letter", max_length=255)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='mappings', to='portal.team')),
            ],
            options={
                'verbose_name': 'group mapping',
                'verbose_name_plural': 'group mappings',
                'ordering': ('provider', 'group', 'pk'),
                'constraints': [models.UniqueConstraint(fields=('provider', 'group', 'team'), name='mapping_once'), models.CheckConstraint(condition=models.Q(models.Q(('group', ''), _negated=True), models.Q(('provider', 'local'), _negated=True)), name='mapping_elsewhere')],
            },
        ),
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('right', models.CharField(choices=[('view', 'see the project'), ('request', 'ask for a promotion'), ('promote', 'start a promotion'), ('roll_back', 'roll back'), ('sign', 'sign'), ('waive', 'waive a requirement'), ('manage', 'manage rights and settings'), ('audit', 'read the ledger and make reports'), ('break_glass', 'promote in an emergency'), ('override_freeze', 'promote during a freeze'), ('provision', 'bring people and groups from a directory')], max_length=20)),
                ('role', models.SlugField(blank=True, help_text='for the right to sign: which role')),
                ('stage', models.SlugField(blank=True, help_text='one stage only; empty: every stage')),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('why', models.CharField(max_length=500)),
                ('given_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('under_review', models.PositiveBigIntegerField(blank=True, null=True)),
                ('until_given', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('change', models.ForeignKey(blank=True, help_text='what gave it', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='portal.change')),
                ('given_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to=settings.AUTH_USER_MODEL)),
                ('revoked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('revoked_in', models.ForeignKey(blank=True, help_text='what revoked it', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.change')),
                ('portfolio', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='portal.portfolio')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='portal.project')),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='portal.team')),
            ],
            options={
                'verbose_name': 'grant',
                'verbose_name_plural': 'grants',
                'ordering': ('-given_at',),
                'indexes': [models.Index(fields=['given_at'], name='grant_given_at'), models.Index(fields=['revoked_at'], name='grant_revoked_at'), models.Index(condition=models.Q(('under_review__isnull', False)), fields=['under_review'], name='grant_under_review')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('person__isnull', False), ('team__isnull', True)), models.Q(('person__isnull', True), ('team__isnull', False)), _connector='OR'), name='grant_has_one_holder'), models.CheckConstraint(condition=models.Q(models.Q(('revoked_at__isnull', True), ('revoked_by__isnull', True)), models.Q(('revoked_at__isnull', False), ('revoked_by__isnull', False)), _connector='OR'), name='grant_revoked_paired'), models.CheckConstraint(condition=models.Q(('revoked_in__isnull', True), ('revoked_at__isnull', False), _connector='OR'), name='grant_revoked_in_change'), models.CheckConstraint(condition=models.Q(models.Q(('right', 'sign'), models.Q(('role', ''), _negated=True)), models.Q(models.Q(('right', 'sign'), _negated=True), ('role', '')), _connector='OR'), name='grant_role_for_sign_only'), models.CheckConstraint(condition=models.Q(('project__isnull', True), ('portfolio__isnull', True), _connector='OR'), name='grant_in_one_place'), models.CheckConstraint(condition=models.Q(('under_review__isnull', False), ('until_given__isnull', True), _connector='OR'), name='grant_end_kept_for_a_review'), models.UniqueConstraint(condition=models.Q(('person__isnull', False), ('revoked_at__isnull', True), ('project__isnull', False)), fields=('person', 'right', 'role', 'project', 'stage'), name='grant_once_person_project'), models.UniqueConstraint(condition=models.Q(('person__isnull', False), ('revoked_at__isnull', True), ('portfolio__isnull', False)), fields=('person', 'right', 'role', 'portfolio', 'stage'), name='grant_once_person_portfolio'), models.UniqueConstraint(condition=models.Q(('person__isnull', False), ('revoked_at__isnull', True), ('portfolio__isnull', True), ('project__isnull', True)), fields=('person', 'right', 'role', 'stage'), name='grant_once_person_estate'), models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True), ('team__isnull', False), ('project__isnull', False)), fields=('team', 'right', 'role', 'project', 'stage'), name='grant_once_team_project'), models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True), ('team__isnull', False), ('portfolio__isnull', False)), fields=('team', 'right', 'role', 'portfolio', 'stage'), name='grant_once_team_portfolio'), models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True), ('team__isnull', False), ('portfolio__isnull', True), ('project__isnull', True)), fields=('team', 'right', 'role', 'stage'), name='grant_once_team_estate')],
            },
        ),
        migrations.CreateModel(
            name='Counterpart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('user', 'user'), ('group', 'group')], max_length=5)),
                ('name', models.CharField(help_text='login or group name in DSS', max_length=200)),
                ('set_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('set_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('node', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counterparts', to='portal.node')),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.team')),
            ],
            options={
                'verbose_name': 'counterpart',
                'verbose_name_plural': 'counterparts',
                'ordering': ('node', 'kind', 'name'),
                'constraints': [models.UniqueConstraint(fields=('node', 'kind', 'name'), name='counterpart_once'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'user'), ('person__isnull', False), ('team__isnull', True)), models.Q(('kind', 'group'), ('person__isnull', True), ('team__isnull', False)), _connector='OR'), name='counterpart_of_its_kind')],
            },
        ),
        migrations.CreateModel(
            name='Token',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('prefix', models.CharField(help_text='first characters, to recognise it', max_length=12)),
                ('hashed', models.CharField(max_length=64, unique=True)),
                ('rights', models.JSONField(blank=True, default=list, help_text='what it may do besides seeing')),
                ('every_project', models.BooleanField(default=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to=settings.AUTH_USER_MODEL)),
                ('projects', models.ManyToManyField(blank=True, related_name='+', to='portal.project')),
                ('revoked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'token',
                'verbose_name_plural': 'tokens',
                'ordering': ('-made_at',),
                'constraints': [models.CheckConstraint(condition=models.Q(('hashed__regex', '^[0-9a-f]{64}$')), name='token_is_hashed'), models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('made_at'))), name='token_ends'), models.CheckConstraint(condition=models.Q(models.Q(('revoked_at__isnull', True), ('revoked_by__isnull', True)), models.Q(('revoked_at__isnull', False), ('revoked_by__isnull', False)), _connector='OR'), name='token_revoked_paired')],
            },
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('why', models.CharField(max_length=500)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('change', models.ForeignKey(blank=True, help_text='what an administrator made it by, for somebody else', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.change')),
                ('delegate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stands_in', to=settings.AUTH_USER_MODEL)),
                ('ended_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'delegation',
                'verbose_name_plural': 'delegations',
                'ordering': ('-starts_at',),
                'constraints': [models.CheckConstraint(condition=models.Q(('person', models.F('delegate')), _negated=True), name='delegation_to_another'), models.CheckConstraint(condition=models.Q(('until__gt', models.F('starts_at'))), name='delegation_ends_later'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_by__isnull', True)), models.Q(('ended_at__isnull', False), ('ended_by__isnull', False)), _connector='OR'), name='delegation_ended_paired')],
            },
        ),
        migrations.CreateModel(
            name='Disclosure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=200)),
                ('salt', models.CharField(max_length=64)),
                ('value', models.TextField()),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disclosures', to='portal.event')),
            ],
            options={
                'verbose_name': 'disclosure',
                'verbose_name_plural': 'disclosures',
                'constraints': [models.UniqueConstraint(fields=('event', 'path'), name='disclosure_once')],
            },
        ),
        migrations.CreateModel(
            name='Factor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('app', 'authenticator app'), ('passkey', 'passkey')], max_length=10)),
                ('name', models.CharField(max_length=100)),
                ('secret', models.TextField(blank=True)),
                ('credential_id', models.CharField(blank=True, max_length=1400, null=True, unique=True)),
                ('credential', models.TextField(blank=True)),
                ('counter', models.BigIntegerField(default=0)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='factors', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'second factor',
                'verbose_name_plural': 'second factors',
                'ordering': ('made_at', 'pk'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'app')), fields=('person',), name='factor_one_app'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'app'), models.Q(('secret', ''), _negated=True), ('credential_id__isnull', True)), models.Q(('kind', 'passkey'), ('secret', ''), ('credential_id__isnull', False), models.Q(('credential', ''), _negated=True)), _connector='OR'), name='factor_is_of_its_kind')],
            },
        ),
        migrations.CreateModel(
            name='Identity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(choices=[('local', 'given by hand'), ('oidc', 'OIDC'), ('saml', 'SAML'), ('scim', 'SCIM')], max_length=10)),
                ('subject', models.CharField(max_length=255)),
                ('linked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('linked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'identity',
                'verbose_name_plural': 'identities',
                'ordering': ('provider',),
                'constraints': [models.UniqueConstraint(fields=('provider', 'subject'), name='identity_of_one_person'), models.UniqueConstraint(fields=('person', 'provider'), name='identity_one_per_provider'), models.CheckConstraint(condition=models.Q(models.Q(('subject', ''), _negated=True), models.Q(('provider', 'local'), _negated=True)), name='identity_elsewhere')],
            },
        ),
        migrations.CreateModel(
            name='PasswordReset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hashed', models.CharField(max_length=64, unique=True)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='resets', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'password reset',
                'verbose_name_plural': 'password resets',
                'ordering': ('-made_at',),
                'constraints': [models.CheckConstraint(condition=models.Q(('hashed__regex', '^[0-9a-f]{64}$')), name='reset_is_hashed'), models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('made_at'))), name='reset_ends'), models.CheckConstraint(condition=models.Q(('person', models.F('made_by')), _negated=True), name='reset_by_another')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('asked', 'asked to sign'), ('reminded', 'reminded'), ('escalated', 'escalated'), ('mentioned', 'mentioned'), ('said', 'said in a conversation'), ('lapsed', 'signature counts no more'), ('condition', 'condition'), ('waiver', 'waiver')], max_length=12)),
                ('once', models.CharField(max_length=200)),
                ('line', models.CharField(help_text='what it is, in one line', max_length=200)),
                ('text', models.TextField(blank=True, help_text='what there is to say about it')),
                ('url', models.CharField(help_text='the page to open, from the root of the portal', max_length=400)),
                ('told_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('read_at', models.DateTimeField(blank=True, null=True)),
                ('mail', models.CharField(choices=[('waiting', 'waits to be sent'), ('sent', 'sent'), ('none', 'not by e-mail'), ('given_up', 'could not be sent')], max_length=8)),
                ('next_try_at', models.DateTimeField(blank=True, null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('problem', models.CharField(blank=True, help_text='why it was not sent', max_length=200)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.project')),
            ],
            options={
                'verbose_name': 'notification',
                'verbose_name_plural': 'notifications',
                'ordering': ('-pk',),
                'indexes': [models.Index(fields=['person', '-id'], name='notification_of_person'), models.Index(condition=models.Q(('mail', 'waiting')), fields=['next_try_at'], name='notification_to_be_sent')],
                'constraints': [models.UniqueConstraint(fields=('person', 'once'), name='notification_once'), models.CheckConstraint(condition=models.Q(models.Q(('mail', 'waiting'), ('next_try_at__isnull', False)), models.Q(models.Q(('mail', 'waiting'), _negated=True), ('next_try_at__isnull', True)), _connector='OR'), name='notification_waits_for_a_time'), models.CheckConstraint(condition=models.Q(models.Q(('mail', 'sent'), ('sent_at__isnull', False)), models.Q(models.Q(('mail', 'sent'), _negated=True), ('sent_at__isnull', True)), _connector='OR'), name='notification_sent_when')],
            },
        ),
        migrations.CreateModel(
            name='LaneUserObjectPermission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project_key', models.CharField(max_length=100)),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('content_object', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='portal.lane')),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='auth.permission')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.project')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(fields=['user', 'project_key', 'until'], name='lane_user_by_key')],
                'constraints': [models.CheckConstraint(condition=models.Q(('project_key', ''), _negated=True), name='lane_user_says_key')],
                'unique_together': {('user', 'permission', 'content_object')},
            },
        ),
        migrations.CreateModel(
            name='LaneGroupObjectPermission',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project_key', models.CharField(max_length=100)),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('content_object', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='portal.lane')),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='auth.group')),
                ('permission', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='auth.permission')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.project')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(fields=['group', 'project_key', 'until'], name='lane_group_by_key')],
                'constraints': [models.CheckConstraint(condition=models.Q(('project_key', ''), _negated=True), name='lane_group_says_key')],
                'unique_together': {('group', 'permission', 'content_object')},
            },
        ),
        migrations.RunPython(install, remove),
    ]
