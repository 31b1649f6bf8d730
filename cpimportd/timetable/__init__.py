"""WHEN: expression, zone and instant → slots; record and now → the due slot. Pure: no clock, no files."""
