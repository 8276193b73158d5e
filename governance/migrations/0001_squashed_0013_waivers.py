"""All tables of governance at once, for a new database; one that has some goes by the migrations this replaces.

Signatures, their conditions and withdrawals, waivers, answers on materiality and published policies refuse to be
rewritten or removed. On SQLite a later migration that rebuilds one of these tables drops its triggers: it has to take
them away first and install them again after.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.protection import install_sql, remove_sql

PROTECTED = {
    "governance_signoff": {"key": ("id",)},
    "governance_withdrawal": {"key": ("id",)},
    "governance_policyversion": {"key": ("id",)},
    "governance_reviewsignature": {"key": ("id",)},
    "governance_condition": {"key": ("id",)},
    "governance_fulfilment": {"key": ("id",)},
    "governance_materialityanswer": {"key": ("id",)},
    "governance_waiver": {"key": ("id",)},
    "governance_waiveranswer": {"key": ("id",)},
    "governance_waiverwithdrawal": {"key": ("id",)},
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
        ('governance', '0001_initial'),
        ('governance', '0002_initial'),
        ('governance', '0003_triggers'),
        ('governance', '0004_change'),
        ('governance', '0005_standing_in'),
        ('governance', '0006_review'),
        ('governance', '0007_conditions'),
        ('governance', '0008_opening'),
        ('governance', '0009_external_checks'),
        ('governance', '0010_materiality'),
        ('governance', '0011_standards'),
        ('governance', '0012_uploads'),
        ('governance', '0013_waivers'),
    ]

    initial = True

    dependencies = [
        ('portal', '0001_squashed_0015_waivers'),
    ]

    operations = [
        migrations.CreateModel(
            name='AccessReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('why', models.CharField(max_length=500)),
                ('due', models.DateTimeField()),
                ('status', models.CharField(choices=[('open', 'open'), ('completed', 'completed'), ('expired', 'expired'), ('called_off', 'called off')], default='open', max_length=10)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('portfolio', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='access_reviews', to='portal.portfolio')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='access_reviews', to='portal.project')),
                ('started_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'access review',
                'verbose_name_plural': 'access reviews',
                'ordering': ('-pk',),
                'constraints': [models.CheckConstraint(condition=models.Q(('project__isnull', True), ('portfolio__isnull', True), _connector='OR'), name='review_in_one_place'), models.CheckConstraint(condition=models.Q(('due__gt', models.F('started_at'))), name='review_due_later'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_by__isnull', True)), models.Q(('ended_at__isnull', False), ('ended_by__isnull', False)), _connector='OR'), name='review_ended_paired'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='review_ended_when_over')],
            },
        ),
        migrations.CreateModel(
            name='Collection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(choices=[('fairness', 'fairness'), ('explainability', 'explainability'), ('model-documentation', 'model documentation'), ('project_standards', 'project standards'), ('govern', 'Govern sign-off')], max_length=30)),
                ('status', models.CharField(choices=[('asked', 'being collected'), ('done', 'collected'), ('failed', 'could not be collected')], default='asked', max_length=10)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('progress', models.JSONField(default=dict, help_text='ids of what DSS is doing for us')),
                ('problem', models.TextField(blank=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='collections', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.lane')),
            ],
            options={
                'verbose_name': 'collection',
                'verbose_name_plural': 'collections',
                'ordering': ('-asked_at',),
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'asked')), fields=('bundle', 'lane', 'what'), name='collection_one_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.SlugField()),
                ('parts', models.JSONField(help_text='digests of the parts it is about')),
                ('title', models.CharField(max_length=200)),
                ('origin', models.CharField(choices=[('written', 'written in the portal'), ('generated', 'generated by DSS'), ('uploaded', 'uploaded')], max_length=10)),
                ('sections', models.JSONField(default=list)),
                ('sections_told', models.BooleanField(default=True, help_text='whether the file names its sections at all, as a PDF without an outline does not')),
                ('digest', models.CharField(db_index=True, max_length=64)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='portal.bundle')),
                ('content', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='portal.project')),
            ],
            options={
                'verbose_name': 'document',
                'verbose_name_plural': 'documents',
                'ordering': ('-recorded_at', '-id'),
            },
        ),
        migrations.CreateModel(
            name='Evidence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('fairness', 'fairness'), ('explainability', 'explainability'), ('tests', 'tests'), ('external_check', 'external check'), ('project_standards', 'project standards'), ('govern', 'Govern sign-off'), ('test-report', 'test report'), ('project', 'project validation')], max_length=20)),
                ('name', models.SlugField(blank=True, help_text='tells it from others of its kind')),
                ('stage', models.SlugField(blank=True)),
                ('parts', models.JSONField(help_text='digests of the parts it is about')),
                ('digest', models.CharField(db_index=True, max_length=64)),
                ('source', models.JSONField(default=dict)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='portal.bundle')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='portal.project')),
                ('result', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
            ],
            options={
                'verbose_name': 'evidence',
                'verbose_name_plural': 'evidence',
                'ordering': ('-recorded_at', '-id'),
            },
        ),
        migrations.CreateModel(
            name='ExternalDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(help_text='of the check')),
                ('delivery', models.CharField(help_text="the sender's own id of the message", max_length=100)),
                ('body', models.CharField(help_text='SHA-256 of the message', max_length=64)),
                ('sent_at', models.DateTimeField()),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('evidence', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='delivery', to='governance.evidence')),
            ],
            options={
                'verbose_name': 'external delivery',
                'verbose_name_plural': 'external deliveries',
                'ordering': ('-received_at', '-id'),
                'constraints': [models.UniqueConstraint(fields=('name', 'delivery'), name='delivery_once')],
            },
        ),
        migrations.CreateModel(
            name='MaterialityAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('exposure', models.SlugField()),
                ('purpose', models.SlugField()),
                ('why', models.TextField()),
                ('policy', models.SlugField()),
                ('policy_version', models.PositiveIntegerField()),
                ('leads_to', models.SlugField(help_text='tier, by the policy of that day')),
                ('answered_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('answered_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='materiality_answers', to='portal.project')),
            ],
            options={
                'verbose_name': 'answer on materiality',
                'verbose_name_plural': 'answers on materiality',
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(fields=('project', 'version'), name='materiality_version_once')],
            },
        ),
        migrations.CreateModel(
            name='Opening',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(choices=[('evidence', 'evidence'), ('document', 'document'), ('difference', 'difference')], max_length=10)),
                ('digest', models.CharField(max_length=64)),
                ('first_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='openings', to='portal.bundle')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='openings', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'opening',
                'verbose_name_plural': 'openings',
                'ordering': ('-last_at', '-id'),
                'constraints': [models.UniqueConstraint(fields=('person', 'bundle', 'what', 'digest'), name='opening_once_of_each'), models.CheckConstraint(condition=models.Q(('last_at__gte', models.F('first_at'))), name='opening_first_before_last')],
            },
        ),
        migrations.CreateModel(
            name='PolicyVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField()),
                ('version', models.PositiveIntegerField()),
                ('source', models.TextField(help_text='the YAML as published')),
                ('digest', models.CharField(max_length=64)),
                ('published_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('change', models.ForeignKey(blank=True, help_text='what published it', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.change')),
                ('published_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'policy version',
                'verbose_name_plural': 'policy versions',
                'ordering': ('name', '-version'),
                'constraints': [models.UniqueConstraint(fields=('name', 'version'), name='policy_version_once')],
            },
        ),
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('about', models.CharField(help_text='subject of the report, such as request:7', max_length=120)),
                ('status', models.CharField(choices=[('asked', 'being made'), ('made', 'made'), ('failed', 'could not be made')], default='asked', max_length=10)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('made_at', models.DateTimeField(blank=True, null=True)),
                ('first', models.BigIntegerField(blank=True, null=True)),
                ('last', models.BigIntegerField(blank=True, null=True)),
                ('template', models.CharField(blank=True, help_text="version of the report's template", max_length=20)),
                ('problem', models.TextField(blank=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('content', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='portal.project')),
            ],
            options={
                'verbose_name': 'report',
                'verbose_name_plural': 'reports',
                'ordering': ('-asked_at',),
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('status', 'made'), _negated=True), models.Q(('content__isnull', False), ('last__isnull', False), ('made_at__isnull', False)), _connector='OR'), name='report_made_has_content')],
            },
        ),
        migrations.CreateModel(
            name='ReviewPlace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('portfolio', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.portfolio')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.project')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='places', to='governance.accessreview')),
            ],
            options={
                'verbose_name': 'place under review',
                'verbose_name_plural': 'places under review',
                'ordering': ('pk',),
                'constraints': [models.CheckConstraint(condition=models.Q(('project__isnull', True), ('portfolio__isnull', True), _connector='OR'), name='review_place_is_one'), models.UniqueConstraint(condition=models.Q(('project__isnull', False)), fields=('review', 'project'), name='review_project_once'), models.UniqueConstraint(condition=models.Q(('portfolio__isnull', False)), fields=('review', 'portfolio'), name='review_portfolio_once'), models.UniqueConstraint(condition=models.Q(('portfolio__isnull', True), ('project__isnull', True)), fields=('review',), name='review_estate_once')],
            },
        ),
        migrations.CreateModel(
            name='ReviewSignature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('meaning', models.CharField(max_length=500)),
                ('why', models.CharField(blank=True, max_length=500)),
                ('why_salt', models.CharField(blank=True, help_text="opens the statement's commitment to the reason", max_length=64)),
                ('key_id', models.CharField(max_length=100)),
                ('signed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('envelope', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='governance.accessreview')),
                ('signed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('statement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
            ],
            options={
                'verbose_name': 'signature of a review',
                'verbose_name_plural': 'signatures of reviews',
                'ordering': ('-pk',),
            },
        ),
        migrations.CreateModel(
            name='ReviewedGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('answer', models.CharField(blank=True, choices=[('confirmed', 'confirmed'), ('revoked', 'revoked'), ('lapsed', 'revoked, not confirmed'), ('spared', 'kept for the last administrator'), ('gone', 'ended otherwise'), ('released', 'not asked any more')], max_length=9)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('answered_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('grant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='asked', to='portal.grant')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='asked', to='governance.accessreview')),
                ('place', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='asked', to='governance.reviewplace')),
                ('signature', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='answers', to='governance.reviewsignature')),
            ],
            options={
                'verbose_name': 'grant under review',
                'verbose_name_plural': 'grants under review',
                'ordering': ('pk',),
                'constraints': [models.UniqueConstraint(fields=('review', 'grant'), name='review_asks_once'), models.UniqueConstraint(condition=models.Q(('answer', '')), fields=('grant',), name='review_asks_one_at_a_time'), models.CheckConstraint(condition=models.Q(models.Q(('answered_at__isnull', True), ('answered_by__isnull', True)), models.Q(('answered_at__isnull', False), ('answered_by__isnull', False)), _connector='OR'), name='review_answered_paired'), models.CheckConstraint(condition=models.Q(models.Q(('answer', ''), ('answered_at__isnull', True)), models.Q(models.Q(('answer', ''), _negated=True), ('answered_at__isnull', False)), _connector='OR'), name='review_answered_when_there'), models.CheckConstraint(condition=models.Q(models.Q(('answer__in', ('confirmed', 'revoked')), ('signature__isnull', False)), models.Q(models.Q(('answer__in', ('confirmed', 'revoked')), _negated=True), ('signature__isnull', True)), _connector='OR'), name='review_answers_are_signed')],
            },
        ),
        migrations.CreateModel(
            name='SignOff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.SlugField()),
                ('decision', models.CharField(choices=[('approve', 'approved'), ('approve_with_conditions', 'approved with conditions'), ('request_changes', 'asked for changes'), ('reject', 'rejected')], max_length=24)),
                ('requirement', models.CharField(max_length=120)),
                ('clause', models.CharField(help_text="digest of the requirement's clause", max_length=64)),
                ('covered', models.JSONField(help_text='digest of each covered part')),
                ('evidence', models.JSONField(default=list, help_text='digests of the evidence on the page')),
                ('documents', models.JSONField(default=list, help_text='digests of the documents on the page')),
                ('meaning', models.CharField(max_length=500)),
                ('comment', models.TextField(blank=True)),
                ('comment_salt', models.CharField(blank=True, help_text="opens the statement's commitment to the comment", max_length=64)),
                ('key_id', models.CharField(max_length=100)),
                ('signed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signoffs', to='portal.bundle')),
                ('envelope', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signoffs', to='portal.lane')),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signoffs', to=settings.AUTH_USER_MODEL)),
                ('statement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('supersedes', models.ForeignKey(blank=True, help_text='what the same seat said of this requirement before', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='superseded_by', to='governance.signoff')),
            ],
            options={
                'verbose_name': 'sign-off',
                'verbose_name_plural': 'sign-offs',
                'ordering': ('-signed_at', '-id'),
                'constraints': [models.CheckConstraint(condition=models.Q(('on_behalf_of__isnull', True), models.Q(('on_behalf_of', models.F('person')), _negated=True), _connector='OR'), name='signoff_for_another')],
            },
        ),
        migrations.CreateModel(
            name='Condition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('text', models.TextField()),
                ('salt', models.CharField(help_text="opens the statement's commitment to the text", max_length=64)),
                ('due', models.DateTimeField()),
                ('signoff', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='conditions', to='governance.signoff')),
            ],
            options={
                'verbose_name': 'condition',
                'verbose_name_plural': 'conditions',
                'ordering': ('signoff', 'number'),
                'constraints': [models.UniqueConstraint(fields=('signoff', 'number'), name='condition_numbered'), models.CheckConstraint(condition=models.Q(('number__gt', 0)), name='condition_numbered_from_one')],
            },
        ),
        migrations.CreateModel(
            name='Fulfilment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confirmed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('how', models.TextField(help_text='what shows it')),
                ('condition', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='fulfilment', to='governance.condition')),
                ('confirmed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'fulfilment',
                'verbose_name_plural': 'fulfilments',
            },
        ),
        migrations.CreateModel(
            name='Waiver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('requirement', models.CharField(max_length=120)),
                ('clause', models.CharField(help_text="digest of the requirement's clause", max_length=64)),
                ('title', models.TextField(help_text='the requirement in words')),
                ('parts', models.JSONField(help_text='digest of each part of the bundle')),
                ('finding', models.JSONField(help_text='what may not change of the finding')),
                ('finding_digest', models.CharField(max_length=64)),
                ('found', models.TextField(help_text='the finding in words; people in it by their ids')),
                ('why', models.TextField(help_text='why it should go on all the same')),
                ('why_salt', models.CharField(help_text="opens the statement's commitment to the reason", max_length=64)),
                ('until', models.DateTimeField(help_text='the first instant at which it counts no more')),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waivers', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waivers', to='portal.lane')),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'waiver',
                'verbose_name_plural': 'waivers',
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['lane', 'bundle'], name='waiver_of_bundle')],
                'constraints': [models.CheckConstraint(condition=models.Q(('until__gt', models.F('asked_at'))), name='waiver_ends_later'), models.CheckConstraint(condition=models.Q(('requirement__startswith', 'sign_off'), _negated=True), name='waiver_of_no_word'), models.CheckConstraint(condition=models.Q(('on_behalf_of__isnull', True), models.Q(('on_behalf_of', models.F('asked_by')), _negated=True), _connector='OR'), name='waiver_for_another')],
            },
        ),
        migrations.CreateModel(
            name='WaiverAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('granted', models.BooleanField()),
                ('answered_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('comment', models.TextField(blank=True, help_text='what whoever answered says about it')),
                ('comment_salt', models.CharField(blank=True, max_length=64)),
                ('meaning', models.TextField(blank=True)),
                ('key_id', models.CharField(blank=True, max_length=100)),
                ('answered_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('envelope', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('statement', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.content')),
                ('waiver', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='answer', to='governance.waiver')),
            ],
            options={
                'verbose_name': 'answer to a waiver',
                'verbose_name_plural': 'answers to waivers',
                'ordering': ('-id',),
                'constraints': [models.CheckConstraint(condition=models.Q(('answered_by', models.F('asker')), _negated=True), name='waiver_answered_by_another'), models.CheckConstraint(condition=models.Q(models.Q(('envelope__isnull', False), ('granted', True), ('statement__isnull', False), models.Q(('key_id', ''), _negated=True), models.Q(('meaning', ''), _negated=True)), models.Q(('envelope__isnull', True), ('granted', False), ('key_id', ''), ('meaning', ''), ('statement__isnull', True), models.Q(('comment', ''), _negated=True)), _connector='OR'), name='waiver_signed_or_reasoned')],
            },
        ),
        migrations.CreateModel(
            name='WaiverWithdrawal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('withdrawn_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('why', models.TextField()),
                ('waiver', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='withdrawal', to='governance.waiver')),
                ('withdrawn_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'end of a waiver',
                'verbose_name_plural': 'ends of waivers',
                'ordering': ('-id',),
            },
        ),
        migrations.CreateModel(
            name='Withdrawal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('withdrawn_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('why', models.TextField()),
                ('signoff', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='withdrawal', to='governance.signoff')),
                ('withdrawn_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'withdrawal',
                'verbose_name_plural': 'withdrawals',
            },
        ),
        migrations.RunPython(install, remove),
    ]
