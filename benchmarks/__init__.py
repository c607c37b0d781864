"""`make bench`: every stage against its usual form, on the machine it runs on."""
