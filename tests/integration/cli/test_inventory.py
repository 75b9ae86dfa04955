"""`troth inventory`: what is kept where, whether that is so, and the record made from it."""

import json


def test_the_inventory_is_listed_and_held_against_the_running_installation(installation):
    checked = installation.run("inventory", "--check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("the live system is what the inventory says (")

    listed = installation.run("inventory", "--service", "billing")
    assert listed.returncode == 0, listed.stderr
    assert "billing.usage" in listed.stdout
    assert "identity.people" not in listed.stdout


def test_the_record_of_processing_is_json(installation):
    record = json.loads(installation.run("inventory", "--record").stdout)

    assert record["format"] == "troth.processing-record.v1"
    assert record["controller"]["name"] is None
