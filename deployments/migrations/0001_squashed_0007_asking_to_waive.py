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
        ('deployments', '0004_asking_and_conversation'),
        ('deployments', '0005_ticket'),
        ('deployments', '0006_waivers'),
        ('deployments', '0007_asking_to_waive'),
    ]

    initial = True

    dependencies = [
        ('governance', '0001_squashed_0013_waivers'),
        ('portal', '0001_squashed_0015_waivers'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeploymentRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('open', 'open'), ('promoting', 'promoting'), ('done', 'done'), ('withdrawn', 'withdrawn'), ('superseded', 'superseded')], default='open', max_length=12)),
                ('held', models.TextField(blank=True, help_text='why only a person may start it again')),
                ('why', models.TextField()),
                ('ticket', models.CharField(blank=True, help_text='number of the change ticket in another system', max_length=100)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('look_at', models.DateTimeField(default=django.utils.timezone.now, help_text='when to look again whom to ask and which signature counts no more')),
                ('swept_at', models.DateTimeField(default=django.utils.timezone.now, help_text='when a sweep last looked whether it starts by itself')),
                ('bundle', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='portal.bundle')),
                ('lane', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='portal.lane')),
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'request',
                'verbose_name_plural': 'requests',
                'ordering': ('-id',),
                'indexes': [models.Index(condition=models.Q(('status__in', ('open', 'promoting'))), fields=['look_at'], name='request_to_be_looked_at'), models.Index(condition=models.Q(('status', 'open')), fields=['swept_at'], name='request_to_be_swept')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ('open', 'promoting'))), fields=('lane', 'bundle'), name='request_once_per_bundle_and_lane')],
            },
        ),
        migrations.CreateModel(
            name='Ask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('requirement', models.CharField(max_length=120)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('told_at', models.DateTimeField(blank=True, null=True)),
                ('reminders', models.PositiveSmallIntegerField(default=0)),
                ('reminded_at', models.DateTimeField(blank=True, null=True)),
                ('escalated_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='asks', to=settings.AUTH_USER_MODEL)),
                ('waiver', models.ForeignKey(blank=True, help_text='what is asked for', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='asks', to='governance.waiver')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='asks', to='deployments.deploymentrequest')),
            ],
            options={
                'verbose_name': 'ask',
                'verbose_name_plural': 'asks',
                'ordering': ('id',),
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True), ('waiver__isnull', True)), fields=('request', 'requirement', 'person'), name='ask_once_at_a_time'), models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True), ('waiver__isnull', False)), fields=('request', 'waiver', 'person'), name='ask_to_waive_once_at_a_time'), models.CheckConstraint(condition=models.Q(('told_at__isnull', False), models.Q(('escalated_at__isnull', True), ('reminded_at__isnull', True)), _connector='OR'), name='ask_told_before_reminded'), models.CheckConstraint(condition=models.Q(models.Q(('reminded_at__isnull', True), ('reminders', 0)), models.Q(('reminded_at__isnull', False), ('reminders__gt', 0)), _connector='OR'), name='ask_reminded_when')],
            },
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('written_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('mentioned', models.ManyToManyField(blank=True, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('written_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='deployments.deploymentrequest')),
            ],
            options={
                'verbose_name': 'comment',
                'verbose_name_plural': 'comments',
                'ordering': ('id',),
            },
        ),
        migrations.CreateModel(
            name='Counted',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('lapsed_at', models.DateTimeField(blank=True, null=True)),
                ('why', models.CharField(blank=True, max_length=40)),
                ('signoff', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counted', to='governance.signoff')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counted', to='deployments.deploymentrequest')),
            ],
            options={
                'verbose_name': 'counted signature',
                'verbose_name_plural': 'counted signatures',
                'ordering': ('id',),
                'constraints': [models.UniqueConstraint(fields=('request', 'signoff'), name='counted_once'), models.CheckConstraint(condition=models.Q(models.Q(('lapsed_at__isnull', True), ('why', '')), models.Q(('lapsed_at__isnull', False), models.Q(('why', ''), _negated=True)), _connector='OR'), name='counted_lapsed_why'), models.CheckConstraint(condition=models.Q(('lapsed_at__isnull', True), ('lapsed_at__gte', models.F('since')), _connector='OR'), name='counted_before_lapse')],
            },
        ),
        migrations.CreateModel(
            name='CountedWaiver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('lapsed_at', models.DateTimeField(blank=True, null=True)),
                ('why', models.CharField(blank=True, max_length=40)),
                ('waiver', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counted', to='governance.waiver')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='counted_waivers', to='deployments.deploymentrequest')),
            ],
            options={
                'verbose_name': 'counted waiver',
                'verbose_name_plural': 'counted waivers',
                'ordering': ('id',),
                'constraints': [models.UniqueConstraint(fields=('request', 'waiver'), name='waiver_counted_once'), models.CheckConstraint(condition=models.Q(models.Q(('lapsed_at__isnull', True), ('why', '')), models.Q(('lapsed_at__isnull', False), models.Q(('why', ''), _negated=True)), _connector='OR'), name='waiver_lapsed_why'), models.CheckConstraint(condition=models.Q(('lapsed_at__isnull', True), ('lapsed_at__gte', models.F('since')), _connector='OR'), name='waiver_counted_before_lapse')],
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
                ('on_behalf_of', models.ForeignKey(blank=True, help_text='who was away, and whose right it was', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('place', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='portal.place')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='deployments.deploymentrequest')),
                ('started_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('undoes', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='deployments.promotion')),
            ],
            options={
                'verbose_name': 'promotion',
                'verbose_name_plural': 'promotions',
                'ordering': ('-id',),
                'indexes': [models.Index(fields=['status', 'wake_at'], name='promotion_waits')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('holds_lane', True)), fields=('lane',), name='promotion_one_holds_lane'), models.UniqueConstraint(condition=models.Q(('kind', 'promote'), ('status', 'running')), fields=('request',), name='promotion_one_runs_per_request'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'running')), models.Q(models.Q(('status', 'running'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='promotion_ended_when_over')],
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
