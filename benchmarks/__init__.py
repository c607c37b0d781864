"""`make bench`: every stage against its baseline, on the machine it runs on."""
