"""The demonstration: a simulated archive, produced, opened, drawn and measured against its known truth."""
