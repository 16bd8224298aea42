from django.db import migrations


def vouch(apps, schema_editor):
    """Whoever came by invitation was vouched for; from now on that is written down with the address."""
    addresses = apps.get_model("account", "EmailAddress").objects.filter(primary=True, verified=False)
    asked = apps.get_model("accounts", "JoinRequest").objects.values("user")
    addresses.exclude(user__in=asked).update(verified=True)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_access_record'),
        ('account', '0009_emailaddress_unique_primary_email'),
    ]

    operations = [migrations.RunPython(vouch, migrations.RunPython.noop)]
