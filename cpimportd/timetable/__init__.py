"""WHEN: expression, zone and instant → slots; memory and now → which slot is due. Pure: clock and files are others'."""
