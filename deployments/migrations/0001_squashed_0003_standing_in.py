"""All tables of deployments at once, for a new database; one that has some goes by the migrations this replaces."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('deployments', '0001_initial'),
        ('deployments', '0002_one_promotion_runs_per_request'),
        ('deployments', '0003_standing_in'),
    ]

    initial = True

    dependencies = [
        ('portal', '0001_squashed_0011_review'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeploymentRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('open', 'open'), ('promoting', 'promoting'), ('done', 'done'), ('withdrawn', 'withdrawn'), ('superseded', 'superseded')], default='open', max_length=12)),
                ('held', models.TextField(blank=True, help_text='why only a person may start it again')),
                ('why', models.TextField()),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='portal.lane')),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to=settings.AUTH_USER_MODEL)),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'request',
                'verbose_name_plural': 'requests',
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ('open', 'promoting'))), fields=('lane', 'bundle'), name='request_once_per_bundle_and_lane')],
            },
        ),
        migrations.CreateModel(
            name='Promotion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('promote', 'promotion'), ('rollback', 'rollback'), ('disable', 'disabling')], default='promote', max_length=10)),
                ('status', models.CharField(choices=[('running', 'running'), ('succeeded', 'succeeded'), ('failed', 'failed'), ('errored', 'errored'), ('stopped', 'stopped')], default='running', max_length=10)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('live_at', models.DateTimeField(blank=True, help_text='when its live change began', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(blank=True, help_text='why it ended as it did')),
                ('holds_lane', models.BooleanField(default=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('lease', models.CharField(blank=True, max_length=32)),
                ('wake_at', models.DateTimeField(blank=True, help_text='when the wait is to be looked at again', null=True)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='portal.lane')),
                ('place', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.place')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='deployments.deploymentrequest')),
                ('started_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('undoes', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='deployments.promotion')),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'promotion',
                'verbose_name_plural': 'promotions',
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['status', 'wake_at'], name='promotion_waits')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('holds_lane', True)), fields=('lane',), name='promotion_one_holds_lane'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'running')), models.Q(models.Q(('status', 'running'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='promotion_ended_when_over'), models.UniqueConstraint(condition=models.Q(('kind', 'promote'), ('status', 'running')), fields=('request',), name='promotion_one_runs_per_request')],
            },
        ),
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('deployable', models.CharField(help_text="the project's or API service's id in DSS", max_length=100)),
                ('since', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('watched_at', models.DateTimeField(blank=True, help_text='when it completed its watch', null=True)),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='portal.lane')),
                ('place', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.place')),
                ('promotion', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='deployments.promotion')),
            ],
            options={
                'verbose_name': 'deployment',
                'verbose_name_plural': 'deployments',
                'ordering': ('-since', '-id'),
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('place', 'deployable'), name='deployment_one_runs_per_place')],
            },
        ),
        migrations.CreateModel(
            name='Poller',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('ticket', models.BigIntegerField(default=0)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='poller_is_one')],
            },
        ),
        migrations.CreateModel(
            name='Step',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('name', models.CharField(max_length=60)),
                ('status', models.CharField(choices=[('pending', 'to do'), ('started', 'under way'), ('done', 'done'), ('failed', 'failed'), ('skipped', 'not reached')], default='pending', max_length=10)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('output', models.JSONField(default=dict)),
                ('problem', models.TextField(blank=True)),
                ('promotion', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='deployments.promotion')),
            ],
            options={
                'verbose_name': 'step',
                'verbose_name_plural': 'steps',
                'ordering': ('promotion', 'position'),
                'constraints': [models.UniqueConstraint(fields=('promotion', 'position'), name='step_position_once')],
            },
        ),
    ]
