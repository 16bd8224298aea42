import datetime

import django.db.models.deletion
from django.db import migrations, models

import metering.models.instant

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
QUARTER = datetime.timedelta(minutes=15)


def note_of_each_meter_what_was_noted_of_all(apps, schema_editor):
    """Of a time before that instant each meter's last reading was kept, and none is missing after it."""
    progress = apps.get_model("metering", "LoadProgress").objects.filter(pruned_to__gt=EPOCH).first()
    if not progress:
        return
    readings = apps.get_model("metering", "Reading").objects.filter(taken_at__lt=progress.pruned_to)
    for meter in apps.get_model("metering", "Meter").objects.values_list("pk", flat=True):
        last = readings.filter(meter=meter).order_by("-taken_at").values_list("taken_at", flat=True).first()
        pruned_to = EPOCH + ((last or progress.pruned_to) - EPOCH) // QUARTER * QUARTER
        apps.get_model("metering", "Pruning").objects.create(meter_id=meter, pruned_to=pruned_to)


class Migration(migrations.Migration):

    dependencies = [
        ('metering', '0009_register_where_it_is_shown'),
    ]

    operations = [
        migrations.CreateModel(
            name='Pruning',
            fields=[
                ('meter', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='pruning', serialize=False, to='metering.meter')),
                ('pruned_to', metering.models.instant.InstantField(default=EPOCH, help_text='Before this quarter hour begins readings may have been deleted.')),
            ],
        ),
        migrations.RunPython(note_of_each_meter_what_was_noted_of_all, migrations.RunPython.noop),
    ]
