import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.protection import install_sql, remove_sql

SIGNATURES = "governance_reviewsignature"


def protect(apps, schema_editor):
    for statement in install_sql(schema_editor.connection.vendor, SIGNATURES, key=("id",)):
        schema_editor.execute(statement, params=None)


def open_up(apps, schema_editor):
    for statement in remove_sql(schema_editor.connection.vendor, SIGNATURES):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    """Access reviews, and reports on more than one project. Their signatures are only ever added to."""

    dependencies = [
        ('governance', '0005_standing_in'),
        ('portal', '0011_review'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='report',
            name='project',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='portal.project'),
        ),
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
            },
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.CheckConstraint(condition=models.Q(('project__isnull', True), ('portfolio__isnull', True), _connector='OR'), name='review_in_one_place'),
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.CheckConstraint(condition=models.Q(('due__gt', models.F('started_at'))), name='review_due_later'),
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_by__isnull', True)), models.Q(('ended_at__isnull', False), ('ended_by__isnull', False)), _connector='OR'), name='review_ended_paired'),
        ),
        migrations.AddConstraint(
            model_name='accessreview',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='review_ended_when_over'),
        ),
        migrations.AddConstraint(
            model_name='reviewplace',
            constraint=models.CheckConstraint(condition=models.Q(('project__isnull', True), ('portfolio__isnull', True), _connector='OR'), name='review_place_is_one'),
        ),
        migrations.AddConstraint(
            model_name='reviewplace',
            constraint=models.UniqueConstraint(condition=models.Q(('project__isnull', False)), fields=('review', 'project'), name='review_project_once'),
        ),
        migrations.AddConstraint(
            model_name='reviewplace',
            constraint=models.UniqueConstraint(condition=models.Q(('portfolio__isnull', False)), fields=('review', 'portfolio'), name='review_portfolio_once'),
        ),
        migrations.AddConstraint(
            model_name='reviewplace',
            constraint=models.UniqueConstraint(condition=models.Q(('portfolio__isnull', True), ('project__isnull', True)), fields=('review',), name='review_estate_once'),
        ),
        migrations.AddConstraint(
            model_name='reviewedgrant',
            constraint=models.UniqueConstraint(fields=('review', 'grant'), name='review_asks_once'),
        ),
        migrations.AddConstraint(
            model_name='reviewedgrant',
            constraint=models.UniqueConstraint(condition=models.Q(('answer', '')), fields=('grant',), name='review_asks_one_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='reviewedgrant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answered_at__isnull', True), ('answered_by__isnull', True)), models.Q(('answered_at__isnull', False), ('answered_by__isnull', False)), _connector='OR'), name='review_answered_paired'),
        ),
        migrations.AddConstraint(
            model_name='reviewedgrant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answer', ''), ('answered_at__isnull', True)), models.Q(models.Q(('answer', ''), _negated=True), ('answered_at__isnull', False)), _connector='OR'), name='review_answered_when_there'),
        ),
        migrations.AddConstraint(
            model_name='reviewedgrant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answer__in', ('confirmed', 'revoked')), ('signature__isnull', False)), models.Q(models.Q(('answer__in', ('confirmed', 'revoked')), _negated=True), ('signature__isnull', True)), _connector='OR'), name='review_answers_are_signed'),
        ),
        migrations.RunPython(protect, open_up),
    ]
